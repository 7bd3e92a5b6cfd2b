"""Pools of bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import simd
from ...jit import inlined, kernel
from ..contract import F32, I64
from .planes import Bytes, fill_edges
from .source import copy_row


@kernel
def max_pool_bytes(x: Bytes, out: Bytes, line: Bytes, zero: int, sizes: I64) -> None:
    """Maximum of windows; padding counts as nothing.

    The rows of a window are reduced to a line, and the line across.

    Parameters
    ----------
    x, out : ndarray of uint8, flat
        Planes.
    line : ndarray of uint8, shape (>= width + out_width,)
        Scratch.
    zero : int
        Zero point of the output, which fills its padding.
    sizes : ndarray of int64
        Channels of all samples; height, width, bytes of a plane, first pixel and pitch of the input, and of the output;
        kernel, stride, padding and dilation, each down and across.
    """
    height, width, plane, start, pitch = sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    out_height, out_width, out_plane, out_start, out_pitch = sizes[6], sizes[7], sizes[8], sizes[9], sizes[10]
    kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x = (
        *(sizes[11], sizes[12], sizes[13]),
        *(sizes[14], sizes[15], sizes[16]),
    )
    apart_y, apart_x = sizes[17], sizes[18]
    for channel in range(sizes[0]):
        at, to = channel * plane + start, channel * out_plane
        fill_edges(out, to, out_start, out_start + out_height * out_pitch, out_plane, zero)
        for row in range(out_height):
            simd.fill_bytes(line, 0, width, 0)
            for ky in range(kernel_y):
                y = row * stride_y + ky * apart_y - pad_y
                if 0 <= y < height:
                    simd.max_bytes(x, at + y * pitch, line, 0, width)
            place = to + out_start + row * out_pitch
            simd.fill_bytes(out, place, out_width, 0)
            simd.fill_bytes(out, place + out_width, out_pitch - out_width, zero)
            for kx in range(kernel_x):
                shift = kx * apart_x - pad_x
                first = max(0, -(shift // stride_x))
                count = min(out_width, (width - 1 - shift) // stride_x + 1) - first
                if count > 0:
                    copy_row(line, first * stride_x + shift, line, width, count, stride_x)
                    simd.max_bytes(line, width, out, place + first, count)


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
