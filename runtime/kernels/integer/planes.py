"""Planes: the layout of activations of bytes.

A channel is a plane of rows of `pitch` bytes. Behind each row lie `pad_x` bytes of padding, which the next row shares
as the padding before it; above and below lie `pad_y` rows of padding. So the pixel that a tap of a convolution reads
lies at a distance from the output's pixel that is the same for all pixels, and rows can be computed end to end, without
regard to where they begin. All padding holds the zero point of the value, whoever reads it.

All values of one height and width have planes of one form, so that they can be added and concatenated as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import inlined
from ...simd.reference.bytes import HALF

Bytes = NDArray[np.uint8]
CACHE_LINE = 64


@dataclass(frozen=True)
class Planes:
    """Form of the planes of a value.

    Attributes
    ----------
    channels, height, width : int
    pad_y, pad_x : int
        Padding above and below, and between rows.
    """

    channels: int
    height: int
    width: int
    pad_y: int
    pad_x: int

    @property
    def pitch(self) -> int:
        """Bytes from a row to the next."""
        return self.width + self.pad_x

    @property
    def start(self) -> int:
        """Place of the first pixel in its plane."""
        return self.pad_y * self.pitch + self.pad_x

    @property
    def pixels(self) -> int:
        """Bytes from the first pixel to the end of the last row, padding between rows included."""
        return self.height * self.pitch

    @property
    def halves(self) -> int:
        """Half vectors that cover them."""
        return -(-self.pixels // HALF)

    @property
    def plane(self) -> int:
        """Bytes of a plane. What taps read for the last of the half vectors lies within it."""
        return -(-(2 * self.start + self.halves * HALF) // CACHE_LINE) * CACHE_LINE

    @property
    def size(self) -> int:
        """Bytes of a sample."""
        return self.channels * self.plane

    def mask(self) -> Bytes:
        """255 for each pixel and 0 for padding, from the first pixel on: shape (32 * halves,)."""
        mask = np.zeros(self.halves * HALF, np.uint8)
        mask[: self.pixels].reshape(self.height, self.pitch)[:, : self.width] = 255
        return mask

    def view(self, flat: Bytes) -> Bytes:
        """The pixels in an array of samples, shape (samples, channels, height, width)."""
        planes = flat.reshape(-1, self.channels, self.plane)[..., self.start : self.start + self.pixels]
        return planes.reshape(*planes.shape[:2], self.height, self.pitch)[..., : self.width]


@inlined
def fill_edges(out: Bytes, at: int, start: int, end: int, size: int, zero: int) -> None:
    """Fill what lies before byte `start` and from byte `end` on in the plane of `size` bytes that begins at `at`."""
    simd.fill_bytes(out, at, start, zero)
    simd.fill_bytes(out, at + end, size - end, zero)


@inlined
def tile_place(tile: int, length: int, last: Any) -> Any:
    """First pixel of a tile; the last tile ends with the plane, and so may begin within the one before it."""
    return min(tile * length, last)
