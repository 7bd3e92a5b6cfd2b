"""Dense fully connected layer: dot products of a few rows and a few samples at a time.

Each output is summed in the same order whatever the batch, so that a split batch gives the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import simd
from ...jit import kernel
from ..contract import WHOLE, Call, Epilogue, LinearGeometry, Share
from ..conv.direct.tile import ACTIVATIONS, F32, LANES, epilogue_arrays
from ..weights import DenseWeights
from .csr import activate, divide

ROWS = 4
SAMPLES = 4


@kernel
def _dots(
    tag: Any, x: F32, at: int, width: int, out: F32, residual: F32, place: int, rows: int, weights: F32, first: int,
    scale: F32, shift: F32, with_residual: bool, activation: int, sums: F32,
) -> None:  # fmt: skip
    """Four rows times ``len(tag) / 4`` samples."""
    acc = simd.zeros(tag)
    for k in range(0, width, LANES):
        acc = simd.fma_dots(acc, (0, 0, 0, 0), weights, first * width + k, width, x, at + k, width)
    simd.store(sums, 0, acc)
    for sample in range(len(tag) // ROWS):
        for r in range(min(ROWS, rows - first)):
            row = first + r
            dot = simd.reduce_sum(simd.load((0,), sums, (sample * ROWS + r) * LANES))
            value = dot * scale[row] + shift[row]
            target = place + sample * rows + row
            if with_residual:
                value += residual[target]
            out[target] = activate(value, activation)


@kernel
def linear_dense(
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    weights: F32,
    scale: F32,
    shift: F32,
    batch: int,
    with_residual: bool,
    activation: int,
    first_run: int,
    last_run: int,
) -> None:
    """Multiply a batch by some of the runs of `ROWS` rows.

    Parameters
    ----------
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only if `with_residual`.
    scratch : ndarray of float32, flat
        Sums, then the samples, padded with zeros to whole vectors.
    weights : ndarray of float32, flat
        Rows padded with zeros to whole vectors, and with rows of zeros to a multiple of `ROWS`.
    scale, shift : ndarray of float32, shape (rows,)
    activation : int
        See `ACTIVATIONS`.
    """
    rows, features = len(scale), len(x) // batch
    width = (features + LANES - 1) // LANES * LANES
    padded = scratch[SAMPLES * ROWS * LANES :]
    for sample in range(batch):
        for k in range(0, width, LANES):
            vector = simd.load_masked(x, sample * features + k, 0, features - k)
            simd.store(padded, sample * width + k, vector)
    fours = batch - batch % SAMPLES
    for first in range(first_run * ROWS, last_run * ROWS, ROWS):
        for sample in range(0, fours, SAMPLES):
            _dots(
                (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                *(padded, sample * width, width, out, residual, sample * rows, rows, weights, first),
                *(scale, shift, with_residual, activation, scratch),
            )
        for sample in range(fours, batch):
            _dots(
                (0, 0, 0, 0),
                *(padded, sample * width, width, out, residual, sample * rows, rows, weights, first),
                *(scale, shift, with_residual, activation, scratch),
            )


class LinearDense:
    """A fully connected layer packed for `linear_dense`."""

    kernel_name = "linear_dense"

    def __init__(self, weights: DenseWeights, geometry: LinearGeometry, epilogue: Epilogue) -> None:
        dense = weights.codebook[weights.symbols] if len(weights.codebook) else weights.symbols
        rows, features = dense.shape
        padded = np.pad(dense, ((0, -rows % ROWS), (0, -features % LANES))).astype(np.float32)
        self._weights = padded.reshape(-1)
        self._tail = (
            *epilogue_arrays(epilogue, rows),
            *(geometry.batch, epilogue.residual, ACTIVATIONS[epilogue.activation]),
        )
        self._runs = len(padded) // ROWS
        self.weight_bytes = self._weights.nbytes
        self.scratch_elements = SAMPLES * ROWS * LANES + geometry.batch * padded.shape[1]

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `layer.PackedLayer`."""
        flat_out = out.reshape(-1)
        flat_residual = flat_out if residual is None else residual.reshape(-1)
        buffers = (x.reshape(-1), flat_out, flat_residual, scratch)
        return [(linear_dense, (*buffers, self._weights, *self._tail, *divide(self._runs, share)))]
