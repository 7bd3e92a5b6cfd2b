"""Dense fully connected layer: dot products of a few rows and a few samples at a time.

Each output is summed in the same order whatever the batch, so that a split batch gives the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core import memory
from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import kernel
from ...simd import LANES
from ..contract import F32, WHOLE, Call, Epilogue, LinearGeometry, Share
from ..epilogue import clamp_number, epilogue_array, limits, scale_shift
from ..weights import DenseWeights
from .csr import divide

ROWS = 4
SAMPLES = 4


@kernel
def _dots(
    tag: Any, x: F32, at: int, width: int, out: F32, residual: F32, place: int, rows: int, weights: F32, first: int,
    epilogue: F32, with_residual: bool, sums: F32,
) -> None:  # fmt: skip
    """Four rows times ``len(tag) / 4`` samples."""
    acc, (low, high) = simd.zeros(tag), limits(epilogue)
    for k in range(0, width, LANES):
        acc = simd.fma_dots(acc, (0, 0, 0, 0), weights, first * width + k * ROWS, LANES, x, at + k, width)
    simd.store(sums, 0, acc)
    for sample in range(len(tag) // ROWS):
        for r in range(min(ROWS, rows - first)):
            row = first + r
            dot = simd.reduce_sum(simd.load((0,), sums, (sample * ROWS + r) * LANES))
            scale, shift = scale_shift(epilogue, row)
            value = dot * scale + shift
            target = place + sample * rows + row
            if with_residual:
                value += residual[target]
            out[target] = clamp_number(value, low, high)


@kernel
def linear_dense(
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    weights: F32,
    epilogue: F32,
    batch: int,
    with_residual: bool,
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
        By run of rows, vector of columns, row of the run, column; zeros fill up runs and vectors.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    """
    rows, features = len(epilogue) // 2 - 1, len(x) // batch
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
                *(epilogue, with_residual, scratch),
            )
        for sample in range(fours, batch):
            _dots(
                (0, 0, 0, 0),
                *(padded, sample * width, width, out, residual, sample * rows, rows, weights, first),
                *(epilogue, with_residual, scratch),
            )


class LinearDense:
    """A fully connected layer packed for `linear_dense`."""

    kernel_name = "linear_dense"

    def __init__(self, weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> None:
        weights = DenseWeights.of(weight)
        dense = weights.codebook[weights.symbols] if len(weights.codebook) else weights.symbols
        rows, features = dense.shape
        padded = np.pad(dense, ((0, -rows % ROWS), (0, -features % LANES))).astype(np.float32)
        # One stream, since the processor prefetches anew at the start of each.
        runs = padded.reshape(-1, ROWS, padded.shape[1] // LANES, LANES).swapaxes(1, 2)
        self._weights: F32 = memory.on_large_pages(runs).reshape(-1)
        self._tail = epilogue_array(epilogue, rows), geometry.batch, epilogue.residual
        self._runs = len(padded) // ROWS
        self.weight_bytes = self._weights.nbytes
        self.scratch_elements = SAMPLES * ROWS * LANES + geometry.batch * padded.shape[1]

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        flat_out = out.reshape(-1)
        flat_residual = flat_out if residual is None else residual.reshape(-1)
        buffers = (x.reshape(-1), flat_out, flat_residual, scratch)
        return [(linear_dense, (*buffers, self._weights, *self._tail, *divide(self._runs, share)))]
