"""Elements as planes of bytes: the highest byte of each, then the next byte of each, down to the lowest.

The bits of a float are rotated left by one first, so that the highest plane of float32 and bfloat16 is the exponent,
that of float16 the exponent and three bits of the mantissa, and the sign is the lowest bit of the lowest plane. In
trained weights the exponent takes some 2.6 bits, and the other planes are as good as random.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel

Plane = NDArray[np.uint8]


def split(bits: NDArray[Any], rotated: bool) -> list[Plane]:
    """Split bit patterns into planes, the highest first.

    Parameters
    ----------
    bits : ndarray of little-endian unsigned integers, shape (n,)
    rotated : bool
        Whether the patterns are rotated left by one first.

    Returns
    -------
    list of ndarray of uint8, shape (n,)
        As many as an element has bytes.
    """
    if rotated:
        bits = bits << 1 | bits >> 8 * bits.itemsize - 1
    columns = bits.view(np.uint8).reshape(len(bits), bits.itemsize)
    return [np.ascontiguousarray(columns[:, k]) for k in reversed(range(bits.itemsize))]


def join(planes: list[Plane], rotated: bool, out: NDArray[Any]) -> None:
    """Join planes to the bit patterns that `split` split.

    Parameters
    ----------
    planes : list of ndarray of uint8, shape (n,)
        The highest first.
    rotated : bool
    out : ndarray of unsigned integers, shape (n,)
        Receives the patterns.
    """
    for plane in planes:
        plane.flags.writeable = False  # arrays of one type, however they were made: the kernel is compiled once
    _join(tuple(planes), int(rotated), out)


@kernel
def _join(planes: tuple[Plane, ...], turns: int, out: NDArray[Any]) -> None:
    turned = np.uint64(turns)
    top = np.uint64(8 * len(planes) - 1)
    for i in range(len(out)):
        word = np.uint64(0)
        for k in range(len(planes)):
            word = word << np.uint64(8) | np.uint64(planes[k][i])
        out[i] = word >> turned | (word & turned) << top
