"""One network of the zoo, in a process of its own: ``python -m benchmarks.questions.zoo.measure NAME FOLDER SECONDS``.

FOLDER/row.json holds what is known after each stage: a crash loses only the stage that it happens in. SECONDS is the
duration of the timing; 0 leaves it out, and less than 0 all that needs ONNX. ``--cpu-time`` counts processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree

import dcz
from dcz.core.difference import relative_error
from dcz.core.timing import Interleaved, clock_of, milliseconds, ratio
from dcz.verification import TOLERANCE

from ...suite import Options
from .networks import ZOO, Network

Arrays = list[NDArray[Any]]
FIRST_STD = 0.02
"""Standard deviation of weights that take the place of zeros."""
PRUNED = 0.8
"""Share of the weights of a tensor that become zero."""
LEVELS = 15
"""Positive values that the others are rounded to: with their negatives and zero, 31 values, which 5 bits tell apart."""


COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What tells a terminal of colours."""


class Row:
    """The figures of a network, on disk after each stage.

    Parameters
    ----------
    path : Path
    network : Network
    folders : path
        Their names are left out of errors, with that of the row's own.
    """

    def __init__(self, path: Path, network: Network, *folders: Path) -> None:
        self.path, self.figures = path, {"network": network.name, "group": network.group}
        self._folders = path.parent, *folders

    def stage(self, name: str, run: Callable[[], dict[str, Any]]) -> bool:
        """Run a stage; whether it went well. An error is its figure: a refusal says operator, node, shape, way out."""
        self._save({name: "the process ended"})
        try:
            found = {name: "ok", **run()}
        except Exception as error:  # whatever a library raises: it is a figure of the table
            found = {name: self._said(error)}
        self._save(found)
        return found[name] == "ok"

    def _said(self, error: Exception) -> str:
        said = reason(error)
        for folder in self._folders:
            said = said.replace(f"{folder}/", "")
        return said[:600]

    def _save(self, figures: dict[str, Any]) -> None:
        self.figures |= figures
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps(self.figures))
        os.replace(beside, self.path)


def reason(error: BaseException) -> str:
    """The first line of an error, without colours; of another library's that of its first cause."""
    while error.__cause__ is not None and not isinstance(error, dcz.DczError):
        error = error.__cause__
    lines = COLOURS.sub("", str(error)).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def main(network: Network, folder: Path, options: Options) -> None:
    """Measure a network that is built: ``options.onnx``, ``timing``, ``seconds`` and ``cpu_time`` count."""
    torch.set_num_threads(1)
    row = Row(folder / "row.json", network)
    made: dict[str, nn.Module] = {}
    first: Arrays = []
    if not row.stage("build", lambda: _built(network.build(), made)):
        return
    module = made["module"]
    batch = network.batch(2)
    one = batch[:1]
    container, file, back = folder / "net.dcz", folder / "net.onnx", folder / "back.onnx"

    def converted() -> dict[str, Any]:
        expected = _of_torch(module, batch)  # first: tracing leaves tensors without data in modules that keep some
        first.extend(array[:1] for array in expected)
        report = dcz.convert(module, container, input_shape=network.input_shape)
        error = checked(of_dcz(container, batch), expected)
        varies = max(relative_error(array[1:], array[:1]) for array in expected)
        return {
            "max_error": error,
            "varies": varies,
            **{name: report.info[name] for name in ("file_bytes", "dense_bytes")},
        }

    def exported() -> dict[str, Any]:
        example = torch.from_numpy(one)
        torch.onnx.export(module, (example,), file, dynamo=True, external_data=False, verbose=False)
        return {}

    def from_onnx() -> dict[str, Any]:
        dcz.convert(file, folder / "onnx.dcz", input_shape=network.input_shape)
        return {"onnx_error": checked(of_dcz(folder / "onnx.dcz", one), of_onnxruntime(file, one))}

    def round_trip() -> dict[str, Any]:
        dcz.export(container, back)
        return {"round_trip_error": checked(of_onnxruntime(back, one), first)}

    right = row.stage("torch_export", converted)
    if not options.onnx:
        return
    has_file = row.stage("onnx_export", exported)
    if has_file:
        row.stage("onnx", from_onnx)
    if right:
        row.stage("round_trip", round_trip)
    if right and has_file and options.timing:
        row.stage("timing", lambda: timed(container, file, one, options))


def _built(module: nn.Module, made: dict[str, nn.Module]) -> dict[str, Any]:
    made["module"] = thin(module)
    return {"parameters": sum(parameter.numel() for parameter in module.parameters())}


def thin(module: nn.Module) -> nn.Module:
    """Prune each tensor of two axes or more in place, and round the other weights to 31 values.

    Its norm stays, or the answer of a deep network would be that of its last bias. Weights that are all equal, as gains
    are before training, stay; those that are all zero, as in the heads of transformers, become random first.
    """
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() < 2 or not parameter.numel():
                continue
            if not parameter.any():
                parameter.normal_(std=FIRST_STD)
            sizes, norm = parameter.abs().flatten(), parameter.norm()
            least = sizes.kthvalue(max(1, int(PRUNED * sizes.numel()))).values
            step = sizes.max() / LEVELS
            if sizes.max() > least:
                parameter.copy_(torch.where(parameter.abs() > least, (parameter / step).round() * step, 0.0))
                parameter.mul_(norm / parameter.norm())
    return module


def checked(found: Arrays, expected: Arrays) -> float:
    """The largest relative error over the outputs; an error if it is too large, or if the outputs are others."""
    shapes = [[array.shape for array in arrays] for arrays in (found, expected)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"answers of other shapes: expected {shapes[1]}, found {shapes[0]}")
    error = max(relative_error(a, b) for a, b in zip(found, expected, strict=True))
    if not error <= TOLERANCE:
        raise ValueError(f"answers differ by {error:.3g} of the largest")
    return error


def of_dcz(container: Path, batch: NDArray[Any]) -> Arrays:
    answer = dcz.load(container, threads=1)(batch)
    return list(answer.values()) if isinstance(answer, dict) else [answer]


def _of_torch(module: nn.Module, batch: NDArray[Any]) -> Arrays:
    with torch.no_grad():
        leaves = _pytree.tree_leaves(module(torch.from_numpy(batch)))
    return [leaf.numpy() for leaf in leaves if isinstance(leaf, Tensor)]


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def of_onnxruntime(file: Path, batch: NDArray[Any]) -> Arrays:
    session = _session(file)
    return [np.asarray(array) for array in session.run(None, {session.get_inputs()[0].name: batch})]


def timed(container: Path, file: Path, one: NDArray[Any], options: Options) -> dict[str, Any]:
    """Medians and minima of both engines, interleaved, and the ratio of theirs to ours."""
    model, session = dcz.load(container, threads=1), _session(file)
    feed = {session.get_inputs()[0].name: one}
    calls = {"dcz": lambda: model(one), "onnxruntime": lambda: session.run(None, feed)}
    turns = Interleaved({name: clock_of(call, options.timer) for name, call in calls.items()})
    for _ in range(turns.rounds(options.seconds)):
        turns.round()
    times = {name: milliseconds(seconds) for name, seconds in turns.seconds.items()}
    faster = ratio(turns.seconds["onnxruntime"], turns.seconds["dcz"])
    return {
        **{f"{name}_ms": figures["median_ms"] for name, figures in times.items()},
        **{f"{name}_least_ms": figures["min_ms"] for name, figures in times.items()},
        **{"speedup": faster["median"], "speedup_least": faster["of_least"]},
        **{"timer": options.timer_name, "rounds": times["dcz"]["runs"]},
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--file", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    seconds = arguments.seconds
    options = Options(seconds=seconds, cpu_time=arguments.cpu_time, timing=seconds > 0, onnx=seconds >= 0)
    if arguments.file:
        from .files import FILES, measure

        measure(FILES[arguments.name], arguments.file, arguments.folder, options)
    else:
        main(ZOO[arguments.name], arguments.folder, options)
