"""Pools of bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import simd
from ...jit import inlined, kernel
from ..contract import F32, I64
from .planes import Bytes, fill_edges


def max_pool_rows(height: int, out_height: int, kernel: int, stride: int, padding: int, dilation: int) -> I64:
    """Rows of the image that windows cover: shape (out_height, kernel).

    A row of a window that lies outside is replaced by one inside, which changes no maximum.

    Raises
    ------
    ValueError
        A window has no row inside.
    """
    taps = np.arange(out_height)[:, None] * stride - padding + np.arange(kernel) * dilation
    inside = (taps >= 0) & (taps < height)
    if not inside.any(axis=1).all():
        raise ValueError("a window lies outside the image")
    first = np.take_along_axis(taps, inside.argmax(axis=1)[:, None], axis=1)
    return np.where(inside, taps, first)


@kernel
def max_pool_bytes(
    step: Any, rows: Any, columns: Any, x: Bytes, out: Bytes, zero: int, lines: I64, sizes: I64
) -> None:  # fmt: skip
    """Maximum of windows; padding counts as nothing.

    Parameters
    ----------
    step, rows, columns : Tag
        As long as the stride across, if it is 1, 2 or 4, else of length 1; as long as a window is high, and wide.
    x, out : ndarray of uint8, flat
        Planes.
    zero : int
        Zero point of the output, which fills its padding.
    lines : ndarray of int64, flat, shape (out_height * len(rows),)
        What `max_pool_rows` gives, times the pitch.
    sizes : ndarray of int64
        Channels of all samples; height, width, bytes of a plane, first pixel and pitch of the input, and of the output;
        across: stride, padding and dilation.
    """
    height, width, plane, start, pitch = sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    out_height, out_width, out_plane, out_start, out_pitch = sizes[6], sizes[7], sizes[8], sizes[9], sizes[10]
    stride, pad, apart = sizes[11], sizes[12], sizes[13]
    # Of windows from `left` on and before `right`, all that is read lies in the plane, and all taps in the image, or in
    # the padding between rows where that holds the least byte.
    free, reach, room = (pitch - width) * (zero == 0), (len(columns) - 1) * apart, plane - start - (height - 1) * pitch
    left = min(out_width, max(0, -((min(free, start) - pad) // stride)))
    last = min(width + free - 1, room - stride) + pad - reach
    right = max(left, min(out_width, last // stride + 1 if stride == len(step) else 0))
    for channel in range(sizes[0]):
        begin, to = channel * plane + start - pad, channel * out_plane
        fill_edges(out, to, out_start, out_start + out_height * out_pitch, out_plane, zero)
        for row in range(out_height):
            place, line = to + out_start + row * out_pitch, row * len(rows)
            simd.fill_bytes(out, place + out_width, out_pitch - out_width, zero)
            first = begin + left * stride
            simd.max_windows(step, rows, columns, x, first, lines, line, apart, out, place + left, right - left)
            for column in range(out_width):
                if not left <= column < right:
                    greatest = 0
                    for kx in range(len(columns)):
                        shift = column * stride + kx * apart
                        if 0 <= shift - pad < width:
                            for ky in range(len(rows)):
                                greatest = max(greatest, simd.get(x, begin + shift + simd.get(lines, line + ky)))
                    simd.put(out, place + column, greatest)


@kernel
def average_pool_bytes(
    x: Bytes, out: F32, factors: F32, zero: int, rows: I64, columns: I64, sizes: I64
) -> None:  # fmt: skip
    """Sums of ``x - zero`` over windows, rounded to float32, times a factor for each window.

    Parameters
    ----------
    x : ndarray of uint8, flat
        Planes.
    out : ndarray of float32, flat, shape (channels * out_height * out_width,)
    factors : ndarray of float32, shape (out_height * out_width,)
    zero : int
    rows, columns : ndarray of int64, shapes (out_height, 2), (out_width, 2)
        First row or column of each window, and the first behind it.
    sizes : ndarray of int64
        Channels of all samples; bytes of a plane, its first pixel and its pitch.
    """
    channels, plane, start, pitch = sizes[0], sizes[1], sizes[2], sizes[3]
    place = 0
    for channel in range(channels):
        for i in range(len(rows)):
            for j in range(len(columns)):
                total, width = np.int64(0), columns[j, 1] - columns[j, 0]
                for y in range(rows[i, 0], rows[i, 1]):
                    begin = channel * plane + start + y * pitch + columns[j, 0]
                    total += _total(x[begin : begin + width])
                total -= zero * (rows[i, 1] - rows[i, 0]) * width
                out[place] = np.float32(total) * factors[i * len(columns) + j]
                place += 1


@inlined
def _total(pixels: Bytes) -> Any:
    """The sum of some bytes."""
    total = np.uint32(0)
    for i in range(len(pixels)):
        total += np.uint32(pixels[i])
    return np.int64(total)
