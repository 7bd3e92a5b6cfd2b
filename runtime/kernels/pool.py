"""Pooling. Images are planes: arrays of shape (batch * channels, height, width), C-contiguous float32.

Windows are worked off in two passes, down and then across, over one padded line of scratch: both passes are plain
loops over contiguous memory, which the compiler turns into vector code. NaN wins in max pooling, as in PyTorch. Sums
run in an order that depends on the shape of a plane alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel

F32 = NDArray[np.float32]

LANES = 16
"""Partial sums that global average pooling keeps: one vector."""


def line_elements(out_width: int, kernel: int, stride: int, dilation: int, width: int, padding: int) -> int:
    """Elements of the padded line that `max_pool2d` and `avg_pool2d` want as scratch."""
    return max((out_width - 1) * stride + (kernel - 1) * dilation + 1, padding + width)


@kernel
def _across(line: F32, stride: int, start: int, out: F32, largest: bool) -> None:
    """Combine ``line[start + j * stride]`` into ``out[j]``: keep the larger, or add."""
    n = out.shape[0]
    if largest:
        for j in range(n):
            v = line[start + j * stride]
            out[j] = v if (v > out[j]) | (v != v) else out[j]
    else:
        for j in range(n):
            out[j] += line[start + j * stride]


@kernel
def max_pool2d(
    x: F32,
    out: F32,
    line: F32,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
    dilation_h: int,
    dilation_w: int,
) -> None:
    """Max pooling with PyTorch's windows.

    Parameters
    ----------
    x : ndarray of float32, shape (planes, height, width)
    out : ndarray of float32, shape (planes, out_height, out_width)
    line : ndarray of float32, shape (>= `line_elements`,)
        Scratch.
    kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w : int
        Padding counts as minus infinity. `out` may be larger than the padded image needs (ceil_mode).
    """
    planes, height, width = x.shape
    for j in range(line.shape[0]):
        line[j] = -np.inf
    for p in range(planes):
        for i in range(out.shape[1]):
            inner = line[padding_w : padding_w + width]
            inner[:] = -np.inf
            for k in range(kernel_h):
                row = i * stride_h - padding_h + k * dilation_h
                if 0 <= row < height:
                    source = x[p, row]
                    for j in range(width):
                        v = source[j]
                        inner[j] = v if (v > inner[j]) | (v != v) else inner[j]
            target = out[p, i]
            target[:] = -np.inf
            for k in range(kernel_w):
                if stride_w == 1:  # a stride known to the compiler makes vector code
                    _across(line, 1, k * dilation_w, target, True)
                elif stride_w == 2:
                    _across(line, 2, k * dilation_w, target, True)
                else:
                    _across(line, stride_w, k * dilation_w, target, True)


@kernel
def avg_pool2d(
    x: F32,
    out: F32,
    line: F32,
    rows: F32,
    columns: F32,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    padding_h: int,
    padding_w: int,
) -> None:
    """Average pooling: sums over windows, divided by ``rows[i] * columns[j]`` (`window_counts`).

    Parameters
    ----------
    x : ndarray of float32, shape (planes, height, width)
    out : ndarray of float32, shape (planes, out_height, out_width)
    line : ndarray of float32, shape (>= `line_elements`,)
        Scratch.
    rows, columns : ndarray of float32, shape (out_height,), (out_width,)
    kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w : int
    """
    planes, height, width = x.shape
    for j in range(line.shape[0]):
        line[j] = 0.0
    for p in range(planes):
        for i in range(out.shape[1]):
            inner = line[padding_w : padding_w + width]
            inner[:] = 0.0
            for k in range(kernel_h):
                row = i * stride_h - padding_h + k
                if 0 <= row < height:
                    source = x[p, row]
                    for j in range(width):
                        inner[j] += source[j]
            target = out[p, i]
            target[:] = 0.0
            for k in range(kernel_w):
                if stride_w == 1:
                    _across(line, 1, k, target, False)
                elif stride_w == 2:
                    _across(line, 2, k, target, False)
                else:
                    _across(line, stride_w, k, target, False)
            for j in range(target.shape[0]):
                target[j] /= rows[i] * columns[j]


def window_counts(
    size: int, out: int, kernel: int, stride: int, padding: int, count_include_pad: bool
) -> NDArray[np.float32]:
    """By how much the windows along one axis count in an average, as PyTorch counts.

    With `count_include_pad` padding counts, but not what ceil_mode adds behind it.

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
def global_avg_pool(x: F32, out: F32, lanes: F32) -> None:
    """Mean of each row.

    Parameters
    ----------
    x : ndarray of float32, shape (planes, size)
    out : ndarray of float32, shape (planes,)
    lanes : ndarray of float32, shape (>= LANES,)
        Scratch: partial sums, which are added at the end.
    """
    planes, size = x.shape
    whole = size // LANES * LANES
    for p in range(planes):
        for j in range(LANES):
            lanes[j] = 0.0
        for i in range(0, whole, LANES):
            for j in range(LANES):
                lanes[j] += x[p, i + j]
        for i in range(whole, size):
            lanes[i - whole] += x[p, i]
        total = lanes[0]
        for j in range(1, LANES):
            total += lanes[j]
        out[p] = total / np.float32(size)


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
    """View a batch of images (batch, channels, height, width) as planes (batch * channels, height, width)."""
    return array.reshape(-1, *array.shape[2:])
