"""Pooling. Images are planes: arrays of shape (batch * channels, height, width), C-contiguous float32.

A window is reduced in two passes, down and then across. The first pass makes one padded line of a row of windows; at a
stride above 2 the line is then dealt out by the stride, so that both passes read contiguous memory. In max pooling NaN
wins, as in PyTorch. The order of sums depends on the shape of a plane alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32

EIGHT, FOUR, TWO, ONE = (0,) * 8, (0,) * 4, (0,) * 2, (0,)
"""Tags, as long as their names say."""
LINES = 8
"""Rows of windows that are reduced down before they are reduced across, so that a line is not read right after its
stores."""


def scratch_elements(out_width: int, kernel: int, stride: int, dilation: int, width: int, padding: int) -> int:
    """Elements of scratch that `pool2d` needs: some padded lines, and a line dealt out by stride."""
    line: int = _line(out_width, kernel, stride, dilation, width, padding)
    return (LINES + 1) * line


@kernel
def _line(out_width: int, kernel: int, stride: int, dilation: int, width: int, padding: int) -> int:
    """Elements from a line to the next."""
    length: int = max(_phase(out_width, kernel, stride, dilation) * stride, padding + width)
    return length + 3 * LANES  # vectors are read beyond the end


@kernel
def _phase(out_width: int, kernel: int, stride: int, dilation: int) -> int:
    """Length of one phase of a line: the elements whose places have the same remainder by the stride."""
    return out_width + (kernel - 1) * dilation // stride


@kernel
def _deal(line: F32, dealt: F32, stride: int, phase: int) -> None:
    """Deal the line out: ``dealt[r * phase + j] = line[j * stride + r]``."""
    for r in range(stride):
        for j in range(phase):
            dealt[r * phase + j] = line[j * stride + r]


@inlined
def _combine(value: Any, other: Any, largest: bool) -> Any:
    return simd.maximum(value, other) if largest else simd.add(value, other)


@kernel
def _divide(sums: F32, start: int, rows: Any, columns: F32) -> None:
    """Divide ``sums[start + j]`` by ``rows * columns[j]``."""
    line = sums[start : start + columns.shape[0]]
    for j in range(columns.shape[0]):
        line[j] /= rows * columns[j]


@kernel
def pool2d(
    x: F32,
    out: F32,
    scratch: F32,
    rows: F32,
    columns: F32,
    height: int,
    width: int,
    largest: bool,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
    dilation_h: int,
    dilation_w: int,
) -> None:
    """Max or average pooling with PyTorch's windows.

    Parameters
    ----------
    x : ndarray of float32, shape (planes * height * width,)
    out : ndarray of float32, shape (planes * out_height * out_width,)
    scratch : ndarray of float32, shape (`scratch_elements`,)
    height, width : int
    rows, columns : ndarray of float32, shape (out_height,), (out_width,)
        An average is a sum divided by ``rows[i] * columns[j]`` (`window_counts`).
    largest : bool
        Keep the largest element of a window (padding counts as minus infinity), or the average.
    kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w : int
    """
    neutral = np.float32(-np.inf if largest else 0.0)
    out_height, out_width = rows.shape[0], columns.shape[0]
    pitch = _line(out_width, kernel_w, stride_w, dilation_w, width, padding_w)
    phase = _phase(out_width, kernel_w, stride_w, dilation_w)
    dealt = scratch[LINES * pitch :]
    for j in range(scratch.shape[0]):
        scratch[j] = neutral
    reach = (kernel_h - 1) * dilation_h + 1
    for p in range(x.shape[0] // (height * width)):
        for first in range(0, out_height, LINES):
            last = min(first + LINES, out_height)
            for i in range(first, last):
                top, line = i * stride_h - padding_h, (i - first) * pitch + padding_w
                _reduce_down(x, p * height * width, top, reach, dilation_h, height, width, scratch, line, largest)
            for i in range(first, last):
                target, line = (p * out_height + i) * out_width, (i - first) * pitch
                if stride_w == 1:  # strides that are known as the kernel is compiled
                    _reduce_across(scratch, line, 0, kernel_w, 1, dilation_w, out, target, out_width, largest)
                elif stride_w == 2:
                    _reduce_across(scratch, line, 0, kernel_w, 2, dilation_w, out, target, out_width, largest)
                else:
                    _deal(scratch[line : line + pitch], dealt, stride_w, phase)
                    _reduce_across(dealt, 0, phase, kernel_w, stride_w, dilation_w, out, target, out_width, largest)
                if not largest:
                    _divide(out, target, rows[i], columns)


@inlined
def _reduce_down(
    x: F32, plane: int, top: int, reach: int, step: int, height: int, width: int, scratch: F32, line: int, largest: bool
) -> None:
    """Reduce a row of windows to a line: the rows of a plane from `top` on, below ``top + reach``, `step` apart."""
    begin, end = top, min(top + reach, height)
    while begin < 0:
        begin += step
    if begin < end and width >= 4 * LANES:
        _reduce_columns(FOUR, x, plane, begin, end, step, width, scratch, line, largest)
    elif begin < end and width >= 2 * LANES:
        _reduce_columns(TWO, x, plane, begin, end, step, width, scratch, line, largest)
    elif begin < end and width >= LANES:
        _reduce_columns(ONE, x, plane, begin, end, step, width, scratch, line, largest)
    else:
        for c in range(0, width, LANES):
            value = _neutral(largest)
            for row in range(begin, end, step):
                value = _combine(simd.load_masked(x, plane + row * width + c, 0, width - c), value, largest)
            simd.store_masked(scratch, line + c, 0, width - c, value)


@inlined
def _reduce_columns(
    tag: Any, x: F32, plane: int, begin: int, end: int, step: int, width: int, scratch: F32, line: int, largest: bool
) -> None:
    """Reduce rows to a line, as many vectors of columns at a time as `tag` is long; the last ones overlap others."""
    for c in range(0, width, len(tag) * LANES):
        column = min(c, width - len(tag) * LANES)
        value = _first(simd.load(tag, x, plane + begin * width + column), largest)
        for row in range(begin + step, end, step):
            value = _combine(simd.load(tag, x, plane + row * width + column), value, largest)
        simd.store(scratch, line + column, value)


@inlined
def _reduce_across(
    lines: F32, line: int, phase: int, kernel: int, stride: int, dilation: int, out: F32, target: int, width: int,
    largest: bool,
) -> None:  # fmt: skip
    """Reduce a line, which is dealt out at a stride above 2, to a row of outputs."""
    for j in range(0, width, LANES):
        value = _first(_tap(lines, line, phase, stride, 0, j), largest)
        for k in range(1, kernel):
            value = _combine(_tap(lines, line, phase, stride, k * dilation, j), value, largest)
        simd.store_masked(out, target + j, 0, width - j, value)


@inlined
def _tap(lines: F32, line: int, phase: int, stride: int, at: int, j: int) -> Any:
    """The elements of a line that 16 windows from the j-th on have in one place."""
    if stride == 1:
        return simd.load(ONE, lines, line + at + j)
    if stride == 2:
        near = simd.load(ONE, lines, line + at + 2 * j)
        return simd.concat_even(near, simd.load(ONE, lines, line + at + 2 * j + LANES))
    return simd.load(ONE, lines, line + at % stride * phase + at // stride + j)


@inlined
def _first(value: Any, largest: bool) -> Any:
    """The first element of each window: with zero added in a sum, which so is no negative zero."""
    return value if largest else simd.scale_shift(value, np.float32(1), np.float32(0))


@inlined
def _neutral(largest: bool) -> Any:
    """What changes no result."""
    return simd.scale_shift(simd.zeros(ONE), np.float32(1), np.float32(-np.inf if largest else 0.0))


BLOCK = 4 * LANES


def fits_pairs(width: int, elements: int) -> bool:
    """Whether `max_pool_pairs` takes images of this width and of an even height, with `elements` in all."""
    return width % (2 * LANES) == 0 or (width in (2, 4, 8, 16) and elements % BLOCK == 0)


@kernel
def max_pool_pairs(x: F32, out: F32, width: int) -> None:
    """Max pooling of windows of 2 x 2 that do not overlap, where `fits_pairs`.

    Rows of narrow images lie end to end in a vector, whatever image they belong to, so no lane idles.

    Parameters
    ----------
    x, out : ndarray of float32, flat
    width : int
    """
    if width >= 2 * LANES:
        for row in range(0, len(x), 2 * width):
            for column in range(0, width, 2 * LANES):
                upper = _across(x, row + column)
                lower = _across(x, row + column + width)
                simd.store(out, row // 4 + column // 2, simd.maximum(upper, lower))
    else:
        for at in range(0, len(x), BLOCK):
            low, high = _across(x, at), _across(x, at + 2 * LANES)
            if width == 16:
                value = simd.maximum_pairs(EIGHT, low, high)
            elif width == 8:
                value = simd.maximum_pairs(FOUR, low, high)
            elif width == 4:
                value = simd.maximum_pairs(TWO, low, high)
            else:
                value = simd.maximum_pairs(ONE, low, high)
            simd.store(out, at // 4, value)


@inlined
def _across(x: F32, at: int) -> Any:
    """The greater of each pair of neighbours, among 32 elements."""
    return simd.maximum_pairs(ONE, simd.load((0,), x, at), simd.load((0,), x, at + LANES))


def window_counts(
    size: int, out: int, kernel: int, stride: int, padding: int, count_include_pad: bool
) -> NDArray[np.float32]:
    """The elements of each window along one axis by which an average is divided, as PyTorch counts them.

    With `count_include_pad` padding counts, but not the elements that ceil_mode adds behind it.

    Returns
    -------
    ndarray of float32, shape (out,)
    """
    first = np.arange(out) * stride - padding
    last = np.minimum(first + kernel, size + padding)
    if not count_include_pad:
        first, last = np.maximum(first, 0), np.minimum(last, size)
    return (last - first).astype(np.float32)


@kernel
def global_avg_pool(x: F32, out: F32) -> None:
    """Mean of each row.

    Parameters
    ----------
    x : ndarray of float32, flat
        ``len(out)`` rows of equal length.
    out : ndarray of float32, shape (planes,)
    """
    size = len(x) // max(1, len(out))
    for p in range(len(out)):
        sums = simd.zeros((0,))
        for i in range(0, size - LANES + 1, LANES):
            sums = simd.add(sums, simd.load((0,), x, p * size + i))
        rest = size % LANES
        sums = simd.add(sums, simd.load_masked(x, (p + 1) * size - rest, 0, rest))
        out[p] = simd.reduce_sum(sums) / np.float32(size)


@kernel
def add_margin(means: F32, share: np.float32, margin: F32) -> None:
    """Turn means of planes into those of larger planes, of which the rest is constant.

    Parameters
    ----------
    means : ndarray of float32, flat
        By sample and channel; changed.
    share : float32
        The part of the larger planes that the means are of.
    margin : ndarray of float32, shape (channels,)
        The constant times the part that is left.
    """
    for start in range(0, len(means), len(margin)):
        for channel in range(len(margin)):
            means[start + channel] = means[start + channel] * share + margin[channel]


@kernel
def adaptive_pool2d(x: F32, out: F32, largest: bool) -> None:
    """Adaptive pooling: window i of n goes from floor(i * size / n) to ceil((i + 1) * size / n), as in PyTorch.

    Parameters
    ----------
    x : ndarray of float32, shape (planes, height, width)
    out : ndarray of float32, shape (planes, out_height, out_width)
    largest : bool
        Keep the largest element of a window, or the mean.
    """
    planes, height, width = x.shape
    _, out_height, out_width = out.shape
    for p in range(planes):
        for i in range(out_height):
            top, bottom = i * height // out_height, -(-(i + 1) * height // out_height)
            for j in range(out_width):
                left, right = j * width // out_width, -(-(j + 1) * width // out_width)
                best = x[p, top, left]
                total = np.float32(0.0)
                for row in range(top, bottom):
                    for column in range(left, right):
                        v = x[p, row, column]
                        total += v
                        best = v if (v > best) | (v != v) else best
                count = np.float32((bottom - top) * (right - left))
                out[p, i, j] = best if largest else total / count


def planes(array: F32) -> Any:
    """View a batch of images (batch, channels, height, width, 1) as planes (batch * channels, height, width)."""
    return array.reshape(-1, *array.shape[2:4])
