"""Copies of parts of images, such as the shortcuts of CIFAR ResNets: every second pixel, into a frame of zeros."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import simd
from ..jit import kernel
from ..simd import LANES
from .contract import F32, Call


@kernel
def copy_pixels(x: F32, out: F32, sizes: NDArray[np.int64], lanes: int) -> None:
    """Copy images.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        From the first pixel on.
    sizes : ndarray of int64, shape (3, 4)
        The numbers of samples, channels, rows and columns; the distances from each to the next in `x`; and those in
        `out`, where columns are contiguous.
    lanes : int
        Elements of a pixel: 16; or 1, where columns of `x` are contiguous or every second one.
    """
    width, step = sizes[0, 3], sizes[1, 3]
    for n in range(sizes[0, 0]):
        for c in range(sizes[0, 1]):
            for row in range(sizes[0, 2]):
                source = n * sizes[1, 0] + c * sizes[1, 1] + row * sizes[1, 2]
                target = n * sizes[2, 0] + c * sizes[2, 1] + row * sizes[2, 2]
                if lanes > 1:
                    for k in range(width):
                        simd.store(out, target + k * LANES, simd.load((0,), x, source + k * step))
                elif step == 1:
                    for k in range(0, width, LANES):
                        vector = simd.load_masked(x, source + k, 0, width - k)
                        simd.store_masked(out, target + k, 0, width - k, vector)
                else:
                    for k in range(0, width, LANES):
                        place, end = source + 2 * k, 2 * (width - k) - 1
                        near = simd.load_masked(x, place, 0, end)
                        far = simd.load_masked(x, place + LANES, 0, end - LANES)
                        simd.store_masked(out, target + k, 0, width - k, simd.concat_even(near, far))


def copy(target: F32, source: F32) -> Call:
    """A call that copies one view of an array to another, of shape (samples, ..., lanes)."""
    if source.ndim != 5 or source.size == 0:
        return np.copyto, (target, source)
    strides = np.array([view.strides[:4] for view in (source, target)]) // source.itemsize
    lanes = source.shape[4]
    if (strides < 0).any() or strides[1, 3] != lanes or (lanes == 1 and strides[0, 3] not in (1, 2)):
        return np.copyto, (target, source)
    flat = (np.lib.stride_tricks.as_strided(view, (_reach(view),), (view.itemsize,)) for view in (source, target))
    return copy_pixels, (*flat, np.array([source.shape[:4], *strides]), lanes)


def _reach(view: F32) -> int:
    """Elements from the first to the last one of a view, both included."""
    last: int = sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    return 1 + last // view.itemsize
