"""Tables and speed-up figure of the Deep Compression paper, measured here, beside the published figures.

Sizes: weights generated at the paper's densities (`benchmarks.weights`), counted as the paper counts (relative indices
of its width with fillers, fp32 centroids), and as bytes in a container. Times: its fully connected layers, cold caches,
one thread, microseconds a sample. Energy: `benchmarks.energy`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from statistics import median
from zlib import crc32

import numpy as np

from .. import energy
from ..published import FC_LAYERS, TABLES, Layer
from ..reference import CENTROID_BYTES, Streams, paper_streams
from ..suite import Benchmark, Options, Row, Table
from ..weights import SEED, gaussian, prune, share

BATCHES = (1, 64)
TITAN, CORE = "Titan X", "Core i7-5930K"


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    sizes = {f"sizes {name}": partial(measure_sizes, name) for name in TABLES if name in options.networks}
    layers = [(name, batch) for name in FC_LAYERS for batch in BATCHES if not options.quick or name == "alexnet.fc7"]
    return sizes | {
        f"times {name} batch {batch}": partial(measure_times, name, batch, options) for name, batch in layers
    }


# Sizes ----------------------------------------------------------------------------------------------------------------


def measure_sizes(name: str) -> list[Row]:
    """One of the paper's tables 2 to 5: a row a layer, and one for the total."""
    table = TABLES[name]
    rows = [_size(table.title, table.gap_width, layer) for layer in table.layers]
    total: Row = {"table": table.title, "layer": "total", "bits": None, "gap_width": table.gap_width}
    total |= {key: sum(row[key] for row in rows) for key in ("weights", "stored", "entries", "dcz_bytes")}
    total |= {f"{key}_bytes": sum(row[f"{key}_bytes"] for row in rows) for key in ("shared", "coded")}
    total |= {
        key: sum(row[key] * row["entries"] for row in rows) / total["entries"] for key in ("weight_bits", "gap_bits")
    }
    total |= {"published": {"shared": table.shared, "coded": table.coded}}
    return [*rows, total]


def _size(title: str, gap_width: int, layer: Layer) -> Row:
    rng = np.random.default_rng([SEED, crc32(f"{title}.{layer.name}".encode())])
    weights = share(prune(gaussian(layer.shape, rng), layer.density), 1 << layer.bits)
    streams = Streams.of(weights)
    coded = paper_streams(streams, gap_width)
    codebook = CENTROID_BYTES << layer.bits
    published = {key: getattr(layer, key) for key in ("weight_bits", "gap_bits", "shared", "coded")}
    return {
        "table": title,
        "layer": layer.name,
        "weights": prod(layer.shape),
        "stored": int(streams.symbol_counts.sum()),
        "entries": coded.entries,
        "bits": layer.bits,
        "gap_width": gap_width,
        "shared_bytes": coded.entries * (layer.bits + gap_width) / 8 + codebook,
        "coded_bytes": (coded.symbol_bits + coded.gap_bits) / 8 + codebook,
        "weight_bits": coded.symbol_bits / coded.entries,
        "gap_bits": coded.gap_bits / coded.entries,
        "dcz_bytes": _container_bytes(weights),
        "published": published,
    }


def _container_bytes(weights: np.ndarray) -> int:
    import dcz
    from dcz.dcformat import write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.dcz"
        write(path, None, {"weight": weights})
        with dcz.open(path) as container:
            (tensor,) = container.info()["tensors"]
            return sum(tensor["bytes"].values())


def _size_tables(rows: list[Row]) -> list[Table]:
    header = (
        "layer", "weights", "density (P)", "weight bits (P+Q)", "(P+Q+H)", "published", "index bits (P+Q)", "(P+Q+H)",
        "published", "size, % (P+Q)", "published", "(P+Q+H)", "published", ".dcz", "ratio .dcz",
    )  # fmt: skip
    made = []
    for title in dict.fromkeys(row["table"] for row in rows if "table" in row):
        body = [_size_row(row) for row in rows if row.get("table") == title]
        made.append(Table(f"{title}: compression by layer, generated weights", header, body))
    return made


def _size_row(row: Row) -> tuple[object, ...]:
    dense, published = 4 * row["weights"], row["published"]

    def percent(count: float) -> str:
        return f"{100 * count / dense:.2f}"

    return (
        row["layer"], row["weights"], f"{row['stored'] / row['weights']:.0%}",
        row["bits"], f"{row['weight_bits']:.1f}", published.get("weight_bits"),
        row["gap_width"], f"{row['gap_bits']:.1f}", published.get("gap_bits"),
        percent(row["shared_bytes"]), published["shared"], percent(row["coded_bytes"]), published["coded"],
        percent(row["dcz_bytes"]), f"{dense / row['dcz_bytes']:.1f}x",
    )  # fmt: skip


# Times and energy -----------------------------------------------------------------------------------------------------


def measure_times(name: str, batch: int, options: Options) -> list[Row]:
    """A fully connected layer: dense and sparse on this CPU, ours, and dense on a GPU where there is one."""
    from .. import kernels

    layer = FC_LAYERS[name]
    described = kernels.Linear(name, layer.features, layer.density)
    engines, facts = kernels.engines_of(described, batch, False)
    del engines["numpy"]  # BLAS threads spin after a product, at the cost of the next engine
    engines["scipy"] = _scipy_csr(described, batch)
    turns = kernels.interleaved_engines(described, engines, options.timer)
    for _ in range(5 if options.quick else 21):
        turns.round()
    row: Row = {"times": name, "batch": batch, "density": layer.density, "timer": options.timer_name}
    row["weight_bytes"] = facts["weight_bytes"]
    for key, quantile in (("us", 0.5), ("p10_us", 0.1), ("p90_us", 0.9), ("least_us", 0)):
        scale = 1e6 / batch
        row[key] = {engine: scale * float(np.quantile(times, quantile)) for engine, times in turns.seconds.items()}
    row["gpu"] = _on_gpu(layer.features, batch)
    if batch == 1:
        row["energy"] = energy.compare(engines["eager"], engines["dcz"], layer.features, facts)
    return [row]


def _scipy_csr(layer: object, batch: int) -> Callable[[], object]:
    """The paper's sparse CPU column: CSR times a vector or a matrix, by a library."""
    from scipy.sparse import csr_matrix

    from .. import kernels

    assert isinstance(layer, kernels.Linear)
    rng = np.random.default_rng(0)
    shape = layer.features[1], layer.features[0]
    matrix = csr_matrix(kernels.random_weight(rng, shape, layer.density, layer.bits).dense())
    x = rng.standard_normal((layer.features[0], batch)).astype(np.float32)
    return lambda: matrix @ x


def _on_gpu(features: tuple[int, int], batch: int) -> dict[str, float] | str:
    """Microseconds a sample of the dense layer by precision, or the reason why there are none."""
    from dcz.converters.torch.baseline import baselines
    from dcz.dcformat import Graph, make_node, write

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.dcz"
        size = features if _has_gpu() else (1, 1)
        weight = np.random.default_rng(0).standard_normal(size[::-1], dtype=np.float32)
        write(path, Graph((size[0],), (make_node("linear", (0,), {"weight": "w"}),), 1), {"w": weight})
        x = np.ones((batch, size[0]), np.float32)
        rows = list(baselines(path, x, device="cuda", modes=("eager",)))
    if rows[0].not_run:
        return rows[0].not_run
    return {row.name: 1e6 * median(row.clock(20) / 20 for _ in range(10)) / batch for row in rows if row.clock}


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _time_tables(rows: list[Row]) -> list[Table]:
    header = (
        "layer", "batch", "density", "dcz", "dense here (eager)", "dense here (prepacked)", "CSR here (SciPy)",
        "dense GPU here", "Core i7 dense", "Core i7 sparse", "Titan X dense", "Titan X sparse",
        "eager / dcz (of the least)",
    )  # fmt: skip
    body: list[tuple[object, ...]] = []
    joules: list[tuple[object, ...]] = []
    for row in (row for row in rows if "times" in row):
        name, batch, us = row["times"], row["batch"], row["us"]
        gpu = row["gpu"] if isinstance(row["gpu"], str) else f"{min(row['gpu'].values()):.1f}"
        published = FC_LAYERS[name].microseconds
        paper = [f"{published[device, kind, batch]:.1f}" for device in (CORE, TITAN) for kind in ("dense", "sparse")]
        ratio = f"{us['eager'] / us['dcz']:.1f} ({row['least_us']['eager'] / row['least_us']['dcz']:.1f})"
        here = (f"{us[engine]:.1f}" for engine in ("dcz", "eager", "prepacked", "scipy"))
        body.append((name, batch, f"{row['density']:.0%}", *here, gpu, *paper, ratio))
        if "energy" in row:
            found = row["energy"]
            watts = FC_LAYERS[name].watts
            energies = [published[CORE, kind, 1] * watts[CORE, kind, 1] for kind in ("dense", "sparse")]
            joules.append(
                (name, found["how"], f"{found['dense_uj']:,.0f}", f"{found['dcz_uj']:,.0f}",
                 f"{found['dense_uj'] / found['dcz_uj']:.1f}x", f"{energies[0] / energies[1]:.1f}x")
            )  # fmt: skip
    timers = " and ".join(dict.fromkeys(row["timer"] for row in rows if "times" in row))
    made = [
        Table(f"Fully connected layers: microseconds a sample, cold caches, one thread here, {timers}", header, body)
    ]
    title = "Energy of one sample, microjoules"
    columns = ("layer", "how", "dense", "dcz", "dense / dcz", "published: Core i7, measured, dense / sparse")
    return [*made, Table(title, columns, joules, 2)] if body else []


def tables(rows: list[Row]) -> list[Table]:
    return _size_tables(rows) + _time_tables(rows)


BENCHMARK = Benchmark("paper", "Do the paper's tables and its speed-up come out here?", cases, tables)
