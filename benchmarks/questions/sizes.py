"""Size of containers beside textbook codings and other coders of the same weights.

For each network: bytes of the ``.dcz`` file, whole, by each codec, beside what the paper's coding, the best fixed gap
width a layer, a zero-order coder, NNC, Core ML, general compressors and safetensors need for the same tensors, and ONNX
Runtime's 8 bits, which change them; and how much of the file is overhead (manifest, labels, code tables). A file that
is larger than the best fixed gap width allows is a failure. Coders that are not installed are named.
"""

from __future__ import annotations

import json
import lzma
import tempfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .. import onnx_file
from ..networks import write_container
from ..peers import CODERS, MissingToolError
from ..peers.process import count
from ..reference import Streams, best_gap_coded_bytes, gap_coded_bytes, zero_order_bytes
from ..suite import Benchmark, Options, Row, Table
from ..weights import NETWORKS, SEED, Network, state_dict

LIMITS = {"xz": 20 << 20, "brotli": 20 << 20, "nnc": 256 << 20}
QUICK_LIMITS = dict.fromkeys(("xz", "brotli", "coreml"), 2 << 20)
"""Greatest dense size for slow coders, normally and in a quick run: beyond it, they take many minutes, or seconds."""
EXTRA = "install with: pip install '.[bench]'"
COLUMNS = {
    "fp32": "fp32",
    "safetensors": "safetensors",
    "onnx int8": "ONNX int8 (lossy)",
    "zip": "zip",
    "xz": "xz -9",
    "zstd": "zstd -19",
    "brotli": "brotli -11",
    "coreml": "Core ML sparse + palette",
    "nnc": "NNC",
    "paper": "paper",
    "best_gap": "best gap",
    "zero_order": "zero-order entropy",
    "huffman": ".dcz Huffman",
    "dcz": ".dcz",
    "overhead": "of it overhead",
    "smallest": ".dcz smallest",
}
FILES = {"dcz": "default", "huffman": "huffman", "smallest": "smallest"}
"""Codecs of our files, by the columns of their bytes."""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {name: partial(_case, NETWORKS[name], options) for name in options.networks}


def _case(network: Network, options: Options) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return [measure(network, SEED, Path(folder), options.peers, QUICK_LIMITS if options.quick else LIMITS)]


def measure(network: Network, seed: int, folder: Path, environments: Path, limits: Mapping[str, int]) -> Row:
    """Write one network and count: bytes by coding, and the limit."""
    tensors = state_dict(network, seed)
    ours: Row = {}
    problems: list[str] = []
    for column, codec in FILES.items():
        path = folder / f"{codec}.dcz"
        write_container(network, tensors, path, codec)
        found, parts = _check(path, tensors)
        problems += found
        ours[column] = path.stat().st_size
        if column == "dcz":
            ours["overhead"] = parts["manifest"] + parts["labels"] + parts["tables"]
    others, missing = other_coders(tensors, folder / "default.dcz", folder, environments, limits)
    row: Row = {
        "network": network.title,
        "seed": seed,
        **references(network, tensors),
        **others,
        "missing": missing,
        **ours,
    }
    if (largest := max(row[column] for column in FILES)) > row["limit"]:
        problems.append(f"{network.title}: {largest} bytes, more than the limit of {row['limit']}")
    return {**row, "problems": problems}


def references(network: Network, tensors: Mapping[str, NDArray[Any]]) -> dict[str, int | None]:
    """Bytes of other codings. All store biases and normalisation without change."""
    weights = {name: tensor for name, tensor in tensors.items() if tensor.ndim >= 2}
    streams = [Streams.of(tensor) for tensor in weights.values()]
    exact = sum(tensor.nbytes for name, tensor in tensors.items() if name not in weights)
    dense = sum(tensor.nbytes for tensor in tensors.values())
    best = exact + sum(best_gap_coded_bytes(stream)[0] for stream in streams)
    return {
        "fp32": dense,
        "safetensors": dense + _safetensors_header(tensors),
        "best_gap": best,
        "limit": int(best * 1.01) + 40 * len(tensors) + 600,
        "paper": exact + sum(gap_coded_bytes(stream, network.paper_gap_bits) for stream in streams),
        "zero_order": exact + round(sum(zero_order_bytes(stream) for stream in streams)),
    }


def other_coders(
    tensors: Mapping[str, NDArray[Any]], container: Path, folder: Path, environments: Path, limits: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, str]]:
    """Bytes of third-party coders, and reasons for missing ones.

    General compressors get all tensors as in memory. NNC and Core ML get the weights; other tensors count with their
    size in memory.
    """
    content = b"".join(tensor.tobytes() for tensor in tensors.values())
    weights = {name: tensor for name, tensor in tensors.items() if tensor.ndim >= 2}
    exact = len(content) - sum(tensor.nbytes for tensor in weights.values())
    model = onnx_file.write(container, folder / "network.onnx", 1)
    np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type]
    plain: dict[str, Callable[[bytes], int]] = {"zip": _zip, "xz": _xz, "zstd": _zstd, "brotli": _brotli}
    coders: dict[str, Callable[[], int]] = {name: partial(coder, content) for name, coder in plain.items()}
    for name, tool in CODERS.items():
        coders[name] = partial(count, tool, environments, model, folder / "weights.npz")
    found: dict[str, int] = {}
    missing: dict[str, str] = {}
    for name, coder in tqdm(coders.items(), desc="coders", unit="coder", leave=False, disable=None):
        if len(content) > limits.get(name, len(content)):
            missing[name] = f"not tried on more than {limits[name] >> 20} MiB: it takes too long"
            continue
        try:
            found[name] = coder() + (exact if name in ("coreml", "nnc") else 0)
        except (MissingToolError, ModuleNotFoundError) as reason:
            missing[name] = EXTRA if isinstance(reason, ModuleNotFoundError) else str(reason)
    return found, missing


def _zip(content: bytes) -> int:
    return len(zlib.compress(content, 9))


def _xz(content: bytes) -> int:
    return len(lzma.compress(content, preset=9))


def _zstd(content: bytes) -> int:
    import zstandard

    return len(zstandard.ZstdCompressor(level=19).compress(content))


def _brotli(content: bytes) -> int:
    import brotli

    return len(brotli.compress(content, quality=11, lgwin=24))


def _safetensors_header(tensors: Mapping[str, NDArray[Any]]) -> int:
    """Bytes that a safetensors file adds: a length and a JSON object, padded to eight bytes."""
    end, entries = 0, {}
    for name, tensor in tensors.items():
        dtype = "I64" if tensor.dtype == np.int64 else "F32"
        entries[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    return 8 + -(-len(json.dumps(entries, separators=(",", ":"))) // 8) * 8


def _check(path: Path, tensors: Mapping[str, NDArray[Any]]) -> tuple[list[str], dict[str, int]]:
    """What is wrong with a container, and its bytes by part."""
    import dcz

    with dcz.open(path) as container:
        different = [name for name, tensor in tensors.items() if not np.array_equal(container.tensor(name), tensor)]
        problems = container.verify() + [f"{name} is not what was written" for name in different]
        return problems, container.info()["bytes"]


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", *COLUMNS.values(), "fp32 / .dcz", ".dcz / best gap")
    body = [
        (
            row["network"],
            *(row.get(column) for column in COLUMNS),
            row["fp32"] / row["dcz"],
            row["dcz"] / row["best_gap"],
        )
        for row in rows
    ]
    return [Table("Bytes of the same pruned and shared weights", header, body)]


BENCHMARK = Benchmark("sizes", "How many bytes do the same weights take in other codings?", cases, tables)
