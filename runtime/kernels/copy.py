"""Copies and fills: parts of concatenations, and shortcuts of CIFAR ResNets, every second pixel in a frame of zeros."""

from __future__ import annotations

import numpy as np

from .. import simd
from ..jit import kernel
from ..simd import LANES
from .contract import F32, I64, Call


@kernel
def fill_zeros(out: F32, pieces: int, step: int, width: int) -> None:
    """Fill some pieces of `width` elements each, `step` elements apart, with zeros.

    Parameters
    ----------
    out : ndarray of float32, flat
        From the first piece on.
    pieces, step, width : int
    """
    zeros = simd.zeros((0,))
    for piece in range(pieces):
        end = piece * step + width
        for k in range(piece * step, end - LANES + 1, LANES):
            simd.store(out, k, zeros)
        simd.store_masked(out, end - width % LANES, 0, width % LANES, zeros)


@kernel
def copy_strided(x: F32, out: F32, sizes: I64) -> None:
    """Copy an array of any number of axes.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        From the first element on.
    sizes : ndarray of int64, shape (3, axes)
        The array's shape; the distances from an element to the next along each axis, in `x` and in `out`.
    """
    last = sizes.shape[1] - 1
    width, step_x, step_out = sizes[0, last], sizes[1, last], sizes[2, last]
    rows = 1
    for axis in range(last):
        rows *= sizes[0, axis]
    for row in range(rows):
        left, source, target = row, 0, 0
        for axis in range(last - 1, -1, -1):
            source += left % sizes[0, axis] * sizes[1, axis]
            target += left % sizes[0, axis] * sizes[2, axis]
            left //= sizes[0, axis]
        if step_x == 1 and step_out == 1:
            for k in range(0, width - LANES + 1, LANES):
                simd.store(out, target + k, simd.load((0,), x, source + k))
            rest = width % LANES
            vector = simd.load_masked(x, source + width - rest, 0, rest)
            simd.store_masked(out, target + width - rest, 0, rest, vector)
        else:
            for k in range(width):
                out[target + k * step_out] = x[source + k * step_x]


@kernel
def copy_pixels(x: F32, out: F32, sizes: I64, lanes: int) -> None:
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
    """A call that copies one view of an array to another, of shape (samples, ..., lanes); no stride is negative."""
    sizes, lanes = source.shape, source.shape[-1]
    strides = [[stride // view.itemsize for stride in view.strides] for view in (source, target)]
    flat, merged = (_flat(source), _flat(target)), merged_axes(sizes, *strides)
    images = source.ndim == 5 and strides[1][3] == lanes and (lanes > 1 or strides[0][3] in (1, 2))
    if images and merged[-1][0] <= sizes[3] * lanes:  # rows are not contiguous in both
        return copy_pixels, (*flat, np.array([sizes[:4], *(each[:4] for each in strides)]), lanes)
    return copy_strided, (*flat, np.array(merged).T.copy())


def zero(target: F32) -> Call:
    """A call that fills a view of an array of shape (samples, ...) with zeros; each sample is contiguous."""
    width = target.size // max(1, len(target))
    return fill_zeros, (_flat(target), len(target), target.strides[0] // target.itemsize, width)


def _flat(view: F32) -> F32:
    """The memory from the first element of a view to its last one."""
    last = sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True)) // view.itemsize
    return np.lib.stride_tricks.as_strided(view, (1 + last if view.size else 0,), (view.itemsize,))


def merged_axes(shape: tuple[int, ...], x: list[int], out: list[int]) -> list[tuple[int, int, int]]:
    """Size, and steps in two arrays, of each axis: neighbours that are contiguous in both are one axis."""
    merged = [(1, 0, 0)]
    for size, step_x, step_out in zip(shape, x, out, strict=True):
        before, before_x, before_out = merged[-1]
        if size == 1:
            continue
        if before == 1 or (before_x, before_out) == (size * step_x, size * step_out):
            merged[-1] = before * size, step_x, step_out
        else:
            merged.append((size, step_x, step_out))
    return merged
