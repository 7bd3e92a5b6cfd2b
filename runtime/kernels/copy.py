"""Copies and fills: views of arrays into arrays, transposed or not, and rows taken by number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import simd
from ..jit import kernel
from ..simd import LANES
from .contract import F32, I64, Call

LEAST_TILE = 6
"""Below this length of an axis a copy element by element takes less time than tiles of 16 x 16."""


class Axis(NamedTuple):
    """An axis of a copy: its length, and the distances from an element to the next in the source and in the target."""

    size: int
    step_x: int
    step_out: int


@kernel
def fill_pieces(out: F32, pieces: int, step: int, width: int, value: float) -> None:
    """Fill some pieces of `width` elements each, `step` elements apart, with a value.

    Parameters
    ----------
    out : ndarray of float32, flat
        From the first piece on.
    pieces, step, width : int
    value : float
        Rounded to float32.
    """
    values = simd.scale_shift(simd.zeros((0,)), np.float32(0), np.float32(value))
    for piece in range(pieces):
        end = piece * step + width
        for k in range(piece * step, end - LANES + 1, LANES):
            simd.store(out, k, values)
        simd.store_masked(out, end - width % LANES, 0, width % LANES, values)


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
    rows = sizes[0, last - 1] if last > 0 else 1
    blocks = 1
    for axis in range(last - 1):
        blocks *= sizes[0, axis]
    for block in range(blocks):
        left, source, target = block, 0, 0
        for axis in range(last - 2, -1, -1):
            source += left % sizes[0, axis] * sizes[1, axis]
            target += left % sizes[0, axis] * sizes[2, axis]
            left //= sizes[0, axis]
        for row in range(rows):
            if row > 0:
                source += sizes[1, last - 1]
                target += sizes[2, last - 1]
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
def copy_transposed(x: F32, out: F32, sizes: I64) -> None:
    """Transpose matrices, in tiles of 16 x 16.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        From the first element on.
    sizes : ndarray of int64, shape (3, axes)
        As for `copy_strided`. The last axis but one is contiguous in `x`, the last one in `out`.
    """
    last = sizes.shape[1] - 1
    columns, rows = sizes[0, last - 1], sizes[0, last]  # of x
    step_x, step_out = sizes[1, last], sizes[2, last - 1]
    square = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    matrices = 1
    for axis in range(last - 1):
        matrices *= sizes[0, axis]
    for matrix in range(matrices):
        left, first, target = matrix, 0, 0
        for axis in range(last - 2, -1, -1):
            first += left % sizes[0, axis] * sizes[1, axis]
            target += left % sizes[0, axis] * sizes[2, axis]
            left //= sizes[0, axis]
        for row in range(0, rows, LANES):
            for column in range(0, columns, LANES):
                high, wide = min(LANES, rows - row), min(LANES, columns - column)
                source, place = first + row * step_x + column, target + column * step_out + row
                if high == LANES and wide == LANES:
                    tile = simd.load_grid(square, square, x, source, step_x)
                    simd.store_grid(square, out, place, step_out, simd.transpose(tile))
                else:
                    tile = simd.load_rows(square, x, source, step_x, 0, wide, (high - 1) * step_x + wide)
                    tile = simd.transpose(tile)
                    simd.store_rows(out, place, step_out, 0, high, (wide - 1) * step_out + high, tile)


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


@kernel
def take_rows(x: F32, out: F32, indices: I64, blocks: int, rows: int, width: int) -> None:
    """``out[b, i] = x[b, indices[i]]``.

    Parameters
    ----------
    x : ndarray of float32, flat
        Of shape (blocks, rows, width).
    out : ndarray of float32, flat
        Of shape (blocks, len(indices), width).
    indices : ndarray of int64
        Each in 0 ... rows - 1.
    blocks, rows, width : int
    """
    count = indices.shape[0]
    for block in range(blocks):
        for i in range(count):
            source, target = (block * rows + indices[i]) * width, (block * count + i) * width
            if width == 1:
                out[target] = x[source]
            else:
                for k in range(0, width - LANES + 1, LANES):
                    simd.store(out, target + k, simd.load((0,), x, source + k))
                rest = width % LANES
                vector = simd.load_masked(x, source + width - rest, 0, rest)
                simd.store_masked(out, target + width - rest, 0, rest, vector)


def copy(target: F32, source: F32) -> Call:
    """A call that copies one view of an array to another, of shape (samples, ..., lanes); no stride is negative."""
    sizes, lanes = source.shape, source.shape[-1]
    strides = [[stride // view.itemsize for stride in view.strides] for view in (source, target)]
    flat, axes = (_flat(source), _flat(target)), merged_axes(sizes, *strides)
    images = source.ndim == 5 and strides[1][3] == lanes
    if images:  # a tensor that is broadcast has one lane for all
        images = strides[0][4] == 1 if lanes > 1 else strides[0][3] in (1, 2)
    if images and axes[-1].size <= sizes[3] * lanes:  # rows are not contiguous in both
        return copy_pixels, (*flat, np.array([sizes[:4], *(each[:4] for each in strides)]), lanes)
    run = next((axis for axis in axes[:-1] if axis.step_x == 1), None)  # contiguous in the source
    if run is None:
        return copy_strided, (*flat, _table(axes))
    others, last = [axis for axis in axes[:-1] if axis is not run], axes[-1]
    if _is_matrix(run, last):
        return copy_transposed, (*flat, _table([*others, run, last]))
    if last.size < LEAST_TILE:
        return copy_strided, (*flat, _table([*others, last, run]))
    return copy_strided, (*flat, _table(axes))


def fill(target: F32, value: float) -> Call:
    """A call that fills a view of an array of shape (samples, ...) with a value; each sample is contiguous."""
    width = target.size // max(1, len(target))
    return fill_pieces, (_flat(target), len(target), target.strides[0] // target.itemsize, width, value)


def _is_matrix(run: Axis, last: Axis) -> bool:
    """Whether two axes, contiguous one in the source and one in the target, are a matrix that is worth tiles."""
    apart = last.step_x >= run.size and run.step_out >= last.size
    return apart and last.step_out == 1 and min(run.size, last.size) >= LEAST_TILE


def _flat(view: F32) -> F32:
    """The memory from the first element of a view to its last one."""
    last = sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True)) // view.itemsize
    return np.lib.stride_tricks.as_strided(view, (1 + last if view.size else 0,), (view.itemsize,))


def _table(axes: list[Axis]) -> I64:
    return np.array(axes).T.copy()


def merged_axes(shape: tuple[int, ...], x: list[int], out: list[int]) -> list[Axis]:
    """The axes of two arrays: neighbours that are contiguous in both are one, those of one element are left out."""
    merged = [Axis(1, 0, 0)]
    for axis in map(Axis, shape, x, out):
        before = merged[-1]
        if axis.size == 1:
            continue
        if before.size == 1:
            merged[-1] = axis
        elif (before.step_x, before.step_out) == (axis.size * axis.step_x, axis.size * axis.step_out):
            merged[-1] = Axis(before.size * axis.size, axis.step_x, axis.step_out)
        else:
            merged.append(axis)
    return merged
