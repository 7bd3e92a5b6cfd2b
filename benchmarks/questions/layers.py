"""Single layers: dcz, oneDNN with prepacked weights, and eager torch; one thread.

Fully connected layers of AlexNet and VGG-16 start with cold caches, as in a network, where earlier layers fill the
caches. All others run warm. Weights are random at the densities of the paper, at a tenth of the weights, and at 30 %
for shapes of other networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dcz.core.timing import milliseconds, ratio

from ..interleaved import run_rounds
from ..suite import Benchmark, Options, Row, Table, figure

if TYPE_CHECKING:
    from ..kernels import Conv, Linear

ENGINES = ("dcz", "prepacked", "eager")
SHARE = 5
"""Divisor of the time of a case: the share of a layer."""
LARGE_NETWORKS = ("alexnet", "vgg16")


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    from ..kernels import LAYERS

    chosen = LAYERS[::6] if options.quick else LAYERS
    return {"peaks": measure_peaks} | {layer.name: partial(measure, layer, options) for layer in chosen}


def measure_peaks() -> list[Row]:
    """Upper bounds of the speed of any kernel."""
    from ..machine_peaks import peaks

    return [{"peaks": peaks()}]


def measure(layer: Conv | Linear, options: Options) -> list[Row]:
    """Time one layer of one sample."""
    from .. import kernels

    made, facts = kernels.engines_of(layer, 1, False)
    turns = kernels.interleaved_engines(layer, {name: made[name] for name in ENGINES}, options.timer)
    run_rounds(turns, options.seconds / SHARE)
    common = {
        "layer": layer.name,
        "group": group(layer),
        "density": layer.density,
        "timer": options.timer_name,
        **facts,
    }
    ratios = {name: ratio(turns.seconds[name], turns.seconds["dcz"]) for name in ENGINES[1:]}
    return [{**common, "engines": {n: milliseconds(s) for n, s in turns.seconds.items()}, "ratios": ratios}]


def group(layer: Conv | Linear) -> str:
    """The group of a layer in the tables."""
    from ..kernels import Linear

    if isinstance(layer, Linear):
        return "fully connected, cold" if layer.cold else "fully connected, warm"
    if layer.density == 1:
        return "convolutions, dense"
    if layer.name.endswith(".10"):
        return "convolutions, a tenth of the weights"
    large = layer.name.startswith(LARGE_NETWORKS)
    return f"convolutions, {'AlexNet and VGG-16' if large else 'other networks'}"


def tables(rows: list[Row]) -> list[Table]:
    timed = [row for row in rows if "layer" in row]
    groups = list(dict.fromkeys(row["group"] for row in timed))
    timers = " and ".join(dict.fromkeys(row["timer"] for row in timed))
    header = ("layer", "kernel", "density", *ENGINES, "prepacked / dcz", "eager / dcz", "% of peak")
    peak = next((row["peaks"]["gmacs"] for row in rows if "peaks" in row), None)
    made = []
    for name in groups:
        body = [_line(row, peak) for row in timed if row["group"] == name]
        made.append(Table(f"{name[0].upper()}{name[1:]}: microseconds, one thread, {timers}", header, body, 2))
    means = [_mean(name, [row for row in timed if row["group"] == name]) for name in groups]
    sparse = [row for row in timed if row["group"].startswith("convolutions, ") and row["density"] < 1]
    as_published = [row for row in sparse if not row["layer"].endswith(".10")]
    if as_published:
        means.append(_mean("convolutions, all but dense and a tenth", as_published))
    titles = ("layers", "count", "prepacked / dcz", "eager / dcz")
    return [Table("Geometric means of the ratios: of the medians (of the least times)", titles, means), *made]


def _line(row: Row, peak: float | None) -> tuple[object, ...]:
    times = (figure(1e3 * row["engines"][n]["median_ms"]) for n in ENGINES)
    ratios = (f"{row['ratios'][n]['median']:.2f} ({row['ratios'][n]['of_least']:.2f})" for n in ENGINES[1:])
    done = "" if peak is None else f"{row['macs'] / row['engines']['dcz']['median_ms'] / 1e4 / peak:.0f}"
    return (row["layer"], row["chosen"], f"{row['density']:.2f}", *times, *ratios, done)


def _mean(name: str, rows: list[Row]) -> tuple[object, ...]:
    def cell(engine: str) -> str:
        of = {key: _geometric(row["ratios"][engine][key] for row in rows) for key in ("median", "of_least")}
        return f"{of['median']:.2f} ({of['of_least']:.2f})"

    return (name, len(rows), *map(cell, ENGINES[1:]))


def _geometric(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))


BENCHMARK = Benchmark("layers", "How long does a single layer take, beside dense ones?", cases, tables)
