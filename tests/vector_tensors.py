"""Tensors of the test vector of `context`."""

from __future__ import annotations

import numpy as np
from vector_graphs import sparse

import dcz.dcformat as fmt
from dcz.dcformat import Encoded
from dcz.dcformat.encoding.table import Encoding
from dcz.dcformat.tensors import Array


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
        "in chunks": sparse((30, 800), 0.8, [0.1, 0.2, -0.7], 25),
        "one": np.eye(1, 500, 300, dtype=np.float32),
    }
    return {name: fmt.encode(name, tensor, {Encoding.CONTEXT}) for name, tensor in tensors.items()}
