"""Values that become planes of bytes, bytes that become float32, and bytes that are moved from planes to planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import kernel
from ..contract import F32, I64
from .planes import Bytes, fill_edges
from .source import copy_row


@kernel
def quantize(x: F32, out: Bytes, scale: Any, zero: int, sizes: I64) -> None:
    """Quantise images: ``clamp(round(x * scale) + zero, 0, 255)``, halves rounded to even; NaN becomes 0.

    Parameters
    ----------
    x : ndarray of float32, flat
        Images, C-contiguous.
    out : ndarray of uint8, flat
        Planes.
    scale : float32
        The reciprocal of the range's scale.
    zero : int
        Its zero point.
    sizes : ndarray of int64
        Channels of all samples, height, width; bytes of a plane, its first pixel and its pitch.
    """
    channels, height, width, plane, start, pitch = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    for channel in range(channels):
        at = channel * plane
        fill_edges(out, at, start, start + height * pitch, plane, zero)
        for row in range(height):
            place = at + start + row * pitch
            simd.store_bytes(out, place, x, (channel * height + row) * width, scale, zero, width)
            simd.fill_bytes(out, place + width, pitch - width, zero)


@kernel
def dequantize(x: Bytes, out: F32, scale: Any, zero: int, sizes: I64) -> None:
    """The numbers that bytes stand for: ``(x - zero) * scale``.

    Parameters
    ----------
    x : ndarray of uint8, flat
        Planes.
    out : ndarray of float32, flat
        Images, C-contiguous.
    scale : float32
    zero : int
    sizes : ndarray of int64
        As `quantize` takes them.
    """
    channels, height, width, plane, start, pitch = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    less = np.float32(zero)
    for channel in range(channels):
        for row in range(height):
            begin = channel * plane + start + row * pitch
            source, target = x[begin : begin + width], out[(channel * height + row) * width :]
            for i in range(width):
                target[i] = (np.float32(source[i]) - less) * scale


@kernel
def move_rows(x: Bytes, out: Bytes, table: NDArray[np.uint8], zero: int, sizes: I64) -> None:
    """Move pixels into planes, some rows and columns apart, each replaced by its entry of a table, if there is one.

    Parameters
    ----------
    x, out : ndarray of uint8, flat
        Planes of one sample.
    table : ndarray of uint8, shape (256,) or (0,)
    zero : int
        Fills planes without a source, and padding.
    sizes : ndarray of int64
        Channels of the output, and the first that has a source; channels that have one; height and width of the
        output; bytes of its planes, first pixel, pitch; first channel that is read, and the channels from one that is
        read to the next; bytes of the input's planes, first pixel that is read, bytes to the next pixel below and to
        the right.
    """
    channels, first, count, height, width, plane, start, pitch = (
        *(sizes[0], sizes[1], sizes[2], sizes[3]),
        *(sizes[4], sizes[5], sizes[6], sizes[7]),
    )
    for channel in range(channels):
        at = channel * plane
        simd.fill_bytes(out, at, plane, zero)
        if first <= channel < first + count:
            origin = (sizes[8] + (channel - first) * sizes[9]) * sizes[10] + sizes[11]
            for row in range(height):
                place, begin = at + start + row * pitch, origin + row * sizes[12]
                if len(table) > 0:
                    for i in range(width):
                        out[place + i] = table[x[begin + i * sizes[13]]]
                else:
                    copy_row(x, begin, out, place, width, sizes[13])
