"""Scaling: latency by density, layer size, batch and threads; decoding time by size of the file.

The gain of threads on single samples is measured with interleaved models of one thread and of all cores.

Single layers are those of `benchmarks.kernels`: dcz, oneDNN with prepacked weights, and eager torch; warm caches, one
thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import numpy as np

import dcz
from dcz.core.timing import Interleaved, clock_of, milliseconds, ratio

from ..interleaved import time_interleaved
from ..networks import container
from ..suite import Benchmark, Options, Row, Table, figure

DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
CHANNELS = (16, 32, 64, 128, 256)
FEATURES = (256, 512, 1024, 2048, 4096)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
NETWORK = "resnet-20"
ENGINES = ("dcz", "prepacked", "eager")


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    from ..kernels import Conv, Linear

    made: dict[str, Callable[[], list[Row]]] = {}
    for density in DENSITIES[:: 3 if options.quick else 1]:
        conv = Conv("3x3, 128 channels, 16x16", (128, 128), 16, 3, density, padding=1)
        linear = Linear("linear, 1024 to 1024", (1024, 1024), density, cold=False)
        for layer in (conv, linear):
            made[f"density {layer.name} {density}"] = partial(layer_times, "density", density, layer, options)
    for channels in CHANNELS[:: 2 if options.quick else 1]:
        conv = Conv("3x3, 16x16, density 0.1", (channels, channels), 16, 3, 0.1, padding=1)
        made[f"channels {channels}"] = partial(layer_times, "channels", channels, conv, options)
    for features in FEATURES[:: 2 if options.quick else 1]:
        linear = Linear("linear, square, density 0.1", (features, features), 0.1, cold=False)
        made[f"features {features}"] = partial(layer_times, "features", features, linear, options)
    for batch in BATCHES[:: 3 if options.quick else 1]:
        made[f"batch {batch}"] = partial(network_times, "batch", batch, batch, 1, options)
    for threads in range(1, cores() + 1):
        made[f"threads {threads}"] = partial(network_times, "threads", threads, 32, threads, options)
    for name in options.networks:
        if cores() > 1:
            made[f"sample {name}"] = partial(sample_times, name, options)
        made[f"decode {name}"] = partial(decode_times, name, options)
    return made


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def layer_times(axis: str, x: float, layer: object, options: Options) -> list[Row]:
    """Microseconds of one layer."""
    from .. import kernels

    rng = np.random.default_rng(0)
    if isinstance(layer, kernels.Conv):
        engines, facts = kernels.conv_engines(layer, rng, 1, False)
    else:
        assert isinstance(layer, kernels.Linear)
        engines, facts = kernels.linear_engines(layer, rng, 1, False)
    turns = time_interleaved({name: clock_of(engines[name], options.timer) for name in ENGINES}, options.seconds / 5)
    return [{"axis": axis, "x": x, "what": layer.name, "kernel": facts["chosen"], **_figures(turns, 1e3)}]


def network_times(axis: str, x: int, batch_size: int, threads: int, options: Options) -> list[Row]:
    """Milliseconds a sample of a whole network."""
    from dcz.converters.torch.baseline import baselines

    network = container(NETWORK, options)
    batch = network.batch(batch_size)
    model = dcz.load(network.path, threads=threads)
    timer = options.timer if threads == 1 else time.perf_counter  # several threads need the wall clock
    (eager,) = baselines(network.path, batch, threads=threads, modes=("eager",), timer=timer)
    assert eager.clock is not None
    turns = time_interleaved({"dcz": clock_of(lambda: model(batch), timer), "eager": eager.clock}, options.seconds / 2)
    what = f"{network.title}, ms a sample" + (f", batch {batch_size}" if axis == "threads" else "")
    return [{"axis": axis, "x": x, "what": what, **_figures(turns, 1 / batch_size)}]


def sample_times(name: str, options: Options) -> list[Row]:
    """Milliseconds of single samples on one thread, and on as many as there are cores; wall time."""
    network = container(name, options)
    batch = network.batch(1)
    models = {threads: dcz.load(network.path, threads=threads) for threads in (1, cores())}
    turns = time_interleaved({str(n): clock_of(partial(model, batch)) for n, model in models.items()}, options.seconds)
    gain = ratio(turns.seconds["1"], turns.seconds[str(max(models))])
    return [{"axis": "sample", "what": network.title, "threads": max(models), "gain": gain, **_figures(turns, 1)}]


def _figures(turns: Interleaved, scale: float) -> dict[str, dict[str, float]]:
    """Median, deciles and least of each engine, in milliseconds times `scale`."""
    found = {name: milliseconds(seconds) for name, seconds in turns.seconds.items()}
    keys = {"median": "median_ms", "p10": "p10_ms", "p90": "p90_ms", "least": "min_ms"}
    return {key: {name: scale * figures[source] for name, figures in found.items()} for key, source in keys.items()}


def decode_times(name: str, options: Options) -> list[Row]:
    """Seconds to read a whole container into sparse tensors."""
    network = container(name, options)

    def decode() -> tuple[float, int]:
        start = time.perf_counter()
        with dcz.open(network.path) as opened:
            nonzero = sum(opened.decode(tensor).nnz for tensor in opened.entries)
        return time.perf_counter() - start, nonzero

    decode()
    times, nonzero = zip(*(decode() for _ in range(3 if options.quick else 9)), strict=True)
    row: Row = {
        "axis": "decode",
        "what": network.title,
        "file_bytes": network.path.stat().st_size,
        "nonzero": nonzero[0],
    }
    return [row | {"seconds": median(times), "least_seconds": min(times)}]


def tables(rows: list[Row]) -> list[Table]:
    made = []
    for axis, what in dict.fromkeys((row["axis"], row["what"]) for row in rows if "x" in row):
        chosen = [row for row in rows if (row["axis"], row["what"]) == (axis, what)]
        engines = list(chosen[0]["median"])
        unit = "" if "sample" in what else ", microseconds"
        body = [
            (f"{row['x']:g}", row.get("kernel", ""), *(_cell(row, engine) for engine in engines), _ratio(row))
            for row in chosen
        ]
        header = (axis, "kernel", *engines, f"{engines[1]} / dcz")
        made.append(Table(f"{what}{unit}: median (least)", header, body, 2))
    samples = [row for row in rows if row["axis"] == "sample"]
    if samples:
        times = [
            (
                row["what"],
                *(_cell(row, threads) for threads in row["median"]),
                f"{row['gain']['median']:.2f}",
                f"{row['gain']['of_least']:.2f}",
            )
            for row in samples
        ]
        header = ("network", "1 thread", f"{samples[0]['threads']} threads", "1 / several", "of least")
        made.append(
            Table("Single samples on several threads, ms: median (least), and how many times as fast", header, times)
        )
    decoded = [
        (row["what"], row["file_bytes"], row["nonzero"], f"{1e3 * row['seconds']:.3g}",
         f"{1e3 * row['least_seconds']:.3g}", f"{row['nonzero'] / row['least_seconds'] / 1e6:.0f}")
        for row in rows
        if row["axis"] == "decode"
    ]  # fmt: skip
    header = ("network", "file bytes", "stored weights", "ms, median", "ms, least", "million weights / s")
    return [*made, Table("Decoding a whole container into sparse tensors, one thread", header, decoded)]


def _cell(row: Row, engine: str) -> str:
    return f"{figure(row['median'][engine])} ({figure(row['least'][engine])})"


def _ratio(row: Row) -> str:
    other = list(row["median"])[1]
    return f"{row['least'][other] / row['least']['dcz']:.2f}"


BENCHMARK = Benchmark("scaling", "How does cost grow?", cases, tables)
