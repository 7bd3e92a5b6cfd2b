"""dcz bench: how fast a container answers, beside its dense network in torch."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..core.json_text import to_json
from ..core.printable import printable
from ..core.progress import progress
from ..machine import facts
from . import text
from .arguments import PRECISION, PRECISIONS, TUNING, positive
from .explain import missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..converters.torch.baseline import Baseline
    from ..core.timing import Clock
    from ..runtime import Model

    Batch = dict[str, NDArray[Any]]

SECONDS = 5.0
"""Approximate duration of all rounds together."""
OURS = "dcz"
FIGURES = ("median_ms", "p10_ms", "p90_ms", "min_ms", "runs")
"""The figures of an engine's times in a row."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("--baseline", choices=("torch",), help="measure the dense network beside it, by turns")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="of the baseline; cuda asks for the baseline by itself"
    )
    parser.add_argument("--batch-size", metavar="N", type=positive, default=1, help="samples a run (default 1)")
    parser.add_argument("--threads", metavar="N", type=positive, default=1, help="of each engine (default 1)")
    parser.add_argument("--tuning", metavar="FILE", help=TUNING)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help=PRECISION)
    parser.add_argument("--layers", action="store_true", help="time each layer of ours as well")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print medians and deciles of each engine, and the ratio of the others to ours."""
    from ..runtime import load

    model = load(args.model, args.threads, args.tuning, args.precision)
    batch = model.noise(args.batch_size)
    result = measure(model, batch, args)
    print(to_json(result) if args.json else describe(result))
    return 0


def measure(model: Model, batch: Batch, args: argparse.Namespace) -> dict[str, Any]:
    """Run the engines interleaved, and return the document that ``--json`` prints."""
    from ..core.difference import relative_error
    from ..core.timing import Interleaved, clock_of, milliseconds, ratio

    torch, settings = _baselines(args, batch) if args.baseline or args.device == "cuda" else ([], {})
    arrays = tuple(batch.values())
    clocks: dict[str, Clock] = {OURS: clock_of(lambda: model(*arrays))}
    clocks |= {engine.name: engine.clock for engine in torch if engine.clock}
    turns = Interleaved(clocks)
    rounds = turns.rounds(SECONDS)
    for _ in progress(range(rounds), "round", rounds):
        turns.round()
    answers = {OURS: model(*arrays)} | {engine.name: engine.answer for engine in torch if engine.answer is not None}
    reference = next((engine.answer for engine in torch if engine.answer is not None), None)
    runs = []
    for name, device, why_not in [(OURS, "cpu", None), *((b.name, args.device, b.not_run) for b in torch)]:
        row: dict[str, Any] = {"engine": name, "device": device, "batch": args.batch_size, "threads": args.threads}
        if why_not is None:
            error = None if reference is None else relative_error(answers[name], reference)
            row |= {**milliseconds(turns.seconds[name]), "max_error": error}
        else:
            row |= {**dict.fromkeys((*FIGURES, "max_error")), "not_run": why_not}
        runs.append(row)
    ratios = {name: ratio(times, turns.seconds[OURS]) for name, times in turns.seconds.items() if name != OURS}
    result = {
        "model": args.model,
        "precision": model.precision,
        "machine": facts(),
        "settings": settings,
        "runs": runs,
        "ratios": ratios,
    }
    return result | ({"layers": list(_layers(model, batch, args))} if args.layers else {})


def _baselines(args: argparse.Namespace, batch: Batch) -> tuple[list[Baseline], dict[str, Any]]:
    try:
        from ..converters.torch import baseline
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return [_NoTorch()], {}  # type: ignore[list-item]
    engines = baseline.baselines(args.model, list(batch.values()), args.device, args.threads)
    built = list(progress(engines, "engine", len(baseline.MODES) * len(baseline.PRECISIONS[args.device])))
    return built, baseline.settings(args.device) if any(engine.clock for engine in built) else {}


class _NoTorch:
    """Stands for the baselines where `dcz.converters.torch.baseline` cannot be imported."""

    name = "torch"
    clock = answer = None

    def __init__(self) -> None:
        self.not_run = missing("torch")


def _layers(model: Model, batch: Batch, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    dense: dict[str, float] = {}
    if args.baseline:
        with suppress(ModuleNotFoundError):  # no torch: the table of engines says so
            from ..converters.torch.baseline import time_layers

            dense = time_layers(args.model, list(batch.values()), args.threads)
    for layer, seconds in model.time_layers(batch):
        row = {**layer, "weight": layer["weight"] or None, "us": 1e6 * seconds}
        yield row | ({"dense_us": 1e6 * dense[layer["weight"]]} if layer["weight"] in dense else {})


def describe(result: dict[str, Any]) -> str:
    """Lay out what `measure` gives as tables."""
    machine, ours = result["machine"], result["runs"][0]
    load = "" if machine["load_average"] is None else f", load average {machine['load_average']}"
    numbers = "" if result["precision"] == "fp32" else f", {result['precision']}"
    parts = [
        f"{printable(result['model'])}, batch {ours['batch']}, {ours['threads']} thread{'s'[: ours['threads'] > 1]}"
        f"{numbers}; {machine['cpu']}, {machine['cores']} cores{load}",
        "",
        _engine_table(result),
    ]
    if settings := result["settings"]:
        parts += ["", "; ".join(f"{name} {value}" for name, value in settings.items())]
    if layers := result.get("layers"):
        total = sum(layer["us"] for layer in layers)
        rows = [
            (layer["weight"] or layer["op"], layer["op"], layer["kernel"], layer["us"], f"{layer['us'] / total:.1%}",
             layer.get("dense_us"), layer["weight_bytes"])
            for layer in layers
        ]  # fmt: skip
        header = ("layer", "op", "kernel", "us", "share", "eager torch us", "weight bytes")
        parts += ["", text.table(header, rows, left=3)]
    return "\n".join(parts)


def _engine_table(result: dict[str, Any]) -> str:
    rows: list[tuple[object, ...]] = []
    not_run: dict[tuple[str, str], list[str]] = {}
    for engine in result["runs"]:
        if "not_run" in engine:
            not_run.setdefault((engine["device"], engine["not_run"]), []).append(engine["engine"])
            continue
        times = result["ratios"].get(engine["engine"])
        spread = f"{times['median']:.2f} ({times['p10']:.2f} to {times['p90']:.2f})" if times else "1"
        figures = (engine[key] for key in FIGURES)
        least = times["of_least"] if times else 1.0
        rows.append((engine["engine"], engine["device"], *figures, spread, least, engine["max_error"]))
    header = (
        "engine",
        "device",
        "median ms",
        "p10",
        "p90",
        "min",
        "rounds",
        f"x {OURS} (p10 to p90)",
        "x min",
        "error",
    )
    notes = [f"{device} not run: {reason} ({', '.join(names)})" for (device, reason), names in not_run.items()]
    return "\n".join([text.table(header, rows, left=2), *notes])
