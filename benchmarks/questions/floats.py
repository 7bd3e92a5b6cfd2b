"""Plain floats: bytes of checkpoints that are neither pruned nor shared, beside ZipNN's, and the rate of decoding.

``--checkpoints FOLDER`` is searched for checkpoints. Each is taken as it is in float32, and rounded to bfloat16 and
float16. A file that is longer than ZipNN's is a problem.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

import dcz.dcformat as fmt
from dcz.dcformat.encoding.table import encode_tensor, parse
from dcz.dcformat.tensors import Array, Dense

from ..peers import ZIPNN, MissingToolError
from ..peers.process import count
from ..suite import Benchmark, Options, Row, Table
from .checkpoints import ENDINGS

TYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
RATE_ELEMENTS = 1 << 22
ROUNDS = 7


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    if options.checkpoints is None:
        return {}
    paths = [path for path in sorted(options.checkpoints.rglob("*")) if path.suffix in ENDINGS]
    return {path.name: partial(measure, path, options) for path in paths} | {"rate": partial(rates, RATE_ELEMENTS)}


def measure(path: Path, options: Options) -> list[Row]:
    """A row for each element type: the whole file, and ZipNN's bytes of the same tensors without names and shapes."""
    from dcz.converters.convert import load_source

    options.work.mkdir(parents=True, exist_ok=True)
    tensors = {name: t for name, t in load_source(path, graph=False).tensors.items() if t.dtype == "F32"}
    return [
        _row(path, dtype, {name: rounded(t.array, dtype) for name, t in tensors.items()}, options) for dtype in TYPES
    ]


def rounded(array: Array, dtype: str) -> Dense:
    """Float32 in another type, rounded to nearest even."""
    if dtype != "BF16":
        return Dense(array.astype({"F32": "<f4", "F16": "<f2"}[dtype]), dtype)
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    return Dense((bits + (0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2"), dtype)


def _row(path: Path, dtype: str, tensors: Mapping[str, Dense], options: Options) -> Row:
    out, weights = options.work / f"{path.stem}.{dtype}.dcz", options.work / f"{TYPES[dtype]}.npz"
    fmt.write(out, None, tensors)
    row: Row = {"model": path.name, "dtype": dtype, "dense": sum(t.array.nbytes for t in tensors.values())}
    row |= {"dcz": out.stat().st_size, "problems": []}
    np.savez(weights, **{str(i): t.array for i, t in enumerate(tensors.values())})  # type: ignore[arg-type]
    try:
        row["zipnn"] = count(ZIPNN, options.peers, path, weights)
    except MissingToolError as reason:
        return row | {"missing": {"zipnn": str(reason)}}
    if row["dcz"] > row["zipnn"]:
        row["problems"] = [f"{path.name} in {dtype}: {row['dcz']} bytes, ZipNN {row['zipnn']}"]
    return row


def rates(elements: int) -> list[Row]:
    """Plain bytes of normal weights that one thread decodes in a second of processor time: the best of some rounds."""
    weights = (np.random.default_rng(0).standard_normal(elements) / 20).astype(np.float32)
    rows: list[Row] = []
    for dtype in TYPES:
        dense = rounded(weights, dtype)
        encoding, payload = encode_tensor(dense)
        parsed = parse(payload, 0, dense.shape, dtype, encoding)
        seconds = []
        for _ in range(ROUNDS):
            start = time.process_time()
            parsed.decode()
            seconds.append(time.process_time() - start)
        rows.append({"dtype": dtype, "encoding": encoding.value, "gb_per_s": dense.array.nbytes / min(seconds) / 1e9})
    return rows


def tables(rows: list[Row]) -> list[Table]:
    sizes = [row for row in rows if "dcz" in row]
    header = ("checkpoint", "type", "plain bytes", ".dcz, whole file", "ZipNN", "plain / .dcz", ".dcz / ZipNN")
    body = [
        (
            row["model"], row["dtype"], row["dense"], row["dcz"], row.get("zipnn"), f"{row['dense'] / row['dcz']:.3f}",
            f"{row['dcz'] / row['zipnn']:.4f}" if "zipnn" in row else None,
        )
        for row in sizes
    ]  # fmt: skip
    rate = [(row["dtype"], row["encoding"], f"{row['gb_per_s']:.2f}") for row in rows if "gb_per_s" in row]
    return [
        Table("Checkpoints that are neither pruned nor shared", header, body, 2),
        Table("Decoding on one thread, processor time", ("type", "encoding", "GB/s of plain bytes"), rate, 2),
    ]


BENCHMARK = Benchmark("floats", "How small do plain floats become, and how fast are they decoded?", cases, tables)
