"""From samples one after the other to 16 samples side by side, and back."""

from __future__ import annotations

from .. import simd
from ..jit import kernel
from ..simd import LANES
from .contract import F32


@kernel
def to_lanes(x: F32, out: F32) -> None:
    """Element k of sample s becomes lane s of vector k.

    Parameters
    ----------
    x : ndarray of float32, flat
        16 samples.
    out : ndarray of float32, flat
        As many elements.
    """
    size = len(x) // LANES
    square = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    for k in range(0, size - LANES + 1, LANES):
        simd.store(out, k * LANES, simd.transpose(simd.load_grid(square, square, x, k, size)))
    for k in range(size - size % LANES, size):
        for s in range(LANES):
            out[k * LANES + s] = x[s * size + k]


@kernel
def from_lanes(x: F32, out: F32) -> None:
    """Lane s of vector k becomes element k of sample s: the inverse of `to_lanes`."""
    size = len(x) // LANES
    square = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    for k in range(0, size - LANES + 1, LANES):
        simd.store_grid(square, out, k, size, simd.transpose(simd.load(square, x, k * LANES)))
    for k in range(size - size % LANES, size):
        for s in range(LANES):
            out[s * size + k] = x[k * LANES + s]
