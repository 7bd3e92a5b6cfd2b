"""Tensors of the test vectors, by what they are for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from vector_graphs import sparse

import dcz.dcformat as fmt
from dcz.dcformat import Encoded
from dcz.dcformat.encoding.table import Encoding
from dcz.dcformat.tensors import Array, Dense


def tensor_files() -> dict[str, Mapping[str, Array | Dense | Encoded]]:
    """The tensors of each container without a graph, by its name."""
    return {
        "types.dcz": of_other_types(),
        "scaled.dcz": of_scaled_rows(),
        "planes.dcz": of_planes(),
        "context.dcz": of_context(),
        "mixed.dcz": of_mixed_contexts(),
        "wide.dcz": of_many_values(),
        "adaptive.dcz": of_small_tensors(),
        "names.dcz": of_names(),
    }


def of_context() -> dict[str, Encoded]:
    """Shared weights coded by their densities and by the signs of their neighbours."""
    rng = np.random.default_rng(21)
    weights = sparse((24, 16, 3, 3), 0.3, [0.5, -0.25, 1.5, -3.0, 0.75], 22)
    signs = np.where(rng.random(weights.shape) < 0.9, 1, -1) * rng.choice([-1, 1], (24, 16, 1, 1))
    alike = (np.abs(weights) * signs).astype("<f4")
    dense = np.where(rng.random((120, 1)) + rng.random((1, 150)) < 0.6, sparse((120, 150), 0.9, [0.1, -0.3], 23), 0)
    patches = np.where(rng.random((60, 1, 3, 3)) + rng.random((1, 50, 3, 3)) < 0.5, np.float32(2.5), np.float32(0))
    tensors: dict[str, Array] = {
        "signs": alike,
        "densities": dense.astype("<f4"),
        "rows of each kernel position": patches,
        "half": alike[:8].astype("<f2"),
        "nearly dense": sparse((40, 30), 0.98, [1.0, 2.0, -4.0], 24),
        "all stored": rng.choice(np.float32([0.5, -0.5, 1.0]), (30, 20, 3)),
        "six lanes": sparse((30, 1400), 0.8, [0.1, 0.2, -0.7], 25),
        "one": np.eye(1, 500, 300, dtype=np.float32),
    }
    return {name: fmt.encode(name, tensor, {Encoding.CONTEXT}) for name, tensor in tensors.items()}


def of_mixed_contexts() -> dict[str, Encoded]:
    """Shared weights whose decisions have mixed probabilities."""
    rng = np.random.default_rng(27)
    weights = sparse((12, 10, 3, 3), 0.3, [0.5, -0.25, 1.5, -3.0, 0.75], 28)
    signs = np.where(rng.random(weights.shape) < 0.9, 1, -1) * rng.choice([-1, 1], (12, 10, 1, 1))
    alike = np.where(weights != 0, np.abs(weights) * signs, 0).astype("<f4")
    rows = np.where(rng.random((40, 70)) < np.linspace(0, 0.9, 40)[:, None], np.float32(0.5), np.float32(0))
    tensors: dict[str, Array] = {
        "kernels": alike,
        "half": alike[:6].astype("<f2"),
        "lines": sparse((9, 8, 5), 0.4, [1.0, -1.0], 29),
        "rows": rows,
        "columns": np.ascontiguousarray(rows.T),
        "all stored": rng.choice(np.float32([0.5, -0.5, 1.0]), (20, 15)),
        "one sign": sparse((20, 30), 0.5, [-1.0, -2.0, -3.0, -4.0, -5.0], 30),
        "special": rng.choice(np.float32([np.nan, np.inf, -0.0, 1e-40, *[0.0] * 9]), (20, 20)),
        "vector": sparse((300,), 0.2, [1.0, -2.0], 31),
    }
    return {name: fmt.encode(name, tensor, {Encoding.MIXED}) for name, tensor in tensors.items()}


def of_small_tensors() -> dict[str, Array | Dense]:
    """Scalars and vectors of each type, in each way of splitting their elements."""
    rng = np.random.default_rng(26)
    norms, biases = (rng.random(48) + 0.5).astype("<f4"), rng.normal(size=48).astype("<f4")
    levels = np.rint(rng.normal(scale=20, size=48))
    tensors: dict[str, Array | Dense] = {
        "ones": np.ones(48, "<f4"),
        "zeros": np.zeros(48, "<f4"),
        "minus zeros": np.full(48, -0.0, "<f2"),
        "thirds": np.full(5, 1 / 3),
        "counter": np.array(62_500),
        "minus one": np.array(-1),
        "norms": norms,
        "biases": biases,
        "special": np.array([np.nan, np.inf, -0.0, 0.0, 1e-40, -1.5], "<f4"),
        "half": biases.astype("<f2"),
        "half in single": biases.astype("<f2").astype("<f4"),
        "bf16": Dense((biases.view("<u4") >> 16).astype("<u2"), "BF16"),
        "grid": (levels * np.float64(np.float32(0.013))).astype("<f4"),
    }
    for dtype in ("i1", "i2", "i4", "i8"):
        tensors[f"levels of {np.dtype(dtype).name}"] = levels.astype(f"<{dtype}")
        tensors[f"levels of u{np.dtype(dtype).name}"] = np.abs(levels).astype(f"<u{dtype[1]}")
    return {name: fmt.encode(name, tensor, {Encoding.ADAPTIVE}) for name, tensor in tensors.items()}


def of_names() -> dict[str, Encoded]:
    """Tensors whose names go on from one another, or begin with dots."""
    names = [
        "layer1.bn1.weight",
        "layer1.bn1.bias",
        "layer2.bias",
        "bias",
        ".5",
        "..5",
        "a..b",
        "a..c",
        "",
        "ü.ö",
        "ü.ä",
    ]
    ones = np.ones(9, "<f4")
    return {name: fmt.encode(name, ones, {Encoding.ADAPTIVE}) for name in names}


def of_planes() -> dict[str, Array | Dense]:
    """Tensors of which each byte of the elements is coded, or plain, by itself."""
    rng = np.random.default_rng(20)
    weights = (rng.normal(size=(30, 20)) / 16).astype("<f4")
    many = (rng.normal(size=16_390).astype("<f4").view("<u4") >> 16).astype("<u2")
    return {
        "f32": weights,
        "f64": weights.astype("<f8") / 3,
        "f16": weights.astype("<f2"),
        "bf16 in two chunks": Dense(many, "BF16"),
        "f32 that was f16": weights.astype("<f2").astype("<f4"),
        "i64": rng.integers(-40_000, 40_000, 500),
        "u16": rng.integers(0, 500, 900).astype("<u2"),
        "sparse f32": np.where(rng.random((30, 40)) < 0.3, rng.normal(size=(30, 40)), 0).astype("<f4"),
        "sparse i32": np.where(rng.random((30, 40)) < 0.3, rng.integers(1, 5000, (30, 40)), 0).astype("<i4"),
    }


def of_many_values() -> dict[str, Array | Dense]:
    """Tensors with more distinct elements than a byte numbers."""
    rng = np.random.default_rng(21)
    values = np.sort(rng.normal(size=300)).astype("<f4")
    return {
        "f32": rng.choice(values, (50, 40)),
        "f32 with zeros": rng.choice(np.append(values, np.float32(0)), (50, 40)),
        "grid": (rng.integers(-500, 500, (90, 40)) * np.float64(np.float32(0.0123))).astype("<f4"),
        "f64": rng.choice(values.astype("<f8") / 3, (50, 40)),
        "i32": rng.choice(rng.integers(-(2**31), 2**31, 400), (50, 40)).astype("<i4"),
    }


def of_other_types() -> dict[str, Array | Dense]:
    """Shared and sparse tensors of the element types that format 1.1 brought to these encodings."""
    weights = sparse((40, 30), 0.2, [0.5, -0.25, 1.5, -3.0], 6)
    brain = (weights.view("<u4") >> 16).astype("<u2")
    full = np.random.default_rng(7).integers(1, 4, (40, 30))
    distinct = np.where(sparse((60, 30), 0.2, [1.0], 10) != 0, np.arange(1, 1801).reshape(60, 30), 0)
    tensors: dict[str, Array | Dense] = {
        "bf16 sparse": Dense(brain, "BF16"),
        "bf16 shared": Dense((full * 0x0F81).astype("<u2"), "BF16"),
        "bf16 unshared": Dense((distinct * 7).astype("<u2"), "BF16"),
        "f64 sparse": weights.astype("<f8"),
        "f64 of 64 bits": weights.astype("<f8") / 3,
        "f64 unshared": distinct / 7,
        "bool": weights > 0,
    }
    for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
        name = np.dtype(dtype).name
        tensors[f"{name} sparse"] = np.where(weights != 0, full, 0).astype(f"<{dtype}")
        tensors[f"{name} shared"] = (-full if dtype[0] == "i" else full).astype(f"<{dtype}")
    tensors["int8 unlike"] = np.random.default_rng(8).binomial(254, 0.5, (60, 60)).astype(np.uint8).view(np.int8)
    return tensors


def of_scaled_rows() -> dict[str, Array]:
    """Weights on a grid of their own in each row."""
    rng = np.random.default_rng(9)
    scales = rng.uniform(0.001, 0.002, (40, 1)).astype(np.float32)
    levels = np.rint(rng.normal(scale=30, size=(40, 36))).clip(-127, 127).astype(np.float32)
    dense = (levels * scales + np.float32(0)).reshape(40, 4, 3, 3)
    kept = np.where(rng.random(dense.shape) < 0.3, dense, np.float32(0))
    masked = kept.copy()
    masked[3], masked[4] = 0, -0.0
    return {
        "dense": dense,
        "sparse": kept,
        "zeros of both signs": np.where(masked == 0, np.copysign(np.float32(0), dense), masked),
    }
