"""What the taps of an integer convolution read: the planes of its input, or phase planes that are made of them.

Where rows of input and output are equally far apart and the stride is 1, each tap reads the input's planes at one
distance for all pixels. Otherwise the input is dealt out by stride into planes whose rows lie as far apart as the
output's: plane ``phase`` of a channel holds the pixels of which row and column have one remainder by the stride. Where
rows of the output have no padding between them, each column of taps reads planes of its own, which are shifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ... import simd
from ...jit import inlined, kernel
from ...simd.reference.bytes import HALF
from ..contract import I64, Call, ConvGeometry
from .planes import CACHE_LINE, Bytes, Planes


@dataclass(frozen=True)
class Source:
    """Planes that the taps of a convolution read.

    Attributes
    ----------
    geometry : ConvGeometry
    given, made : Planes
        Forms of the input and of the output.
    zero : int
        Zero point of the input.
    """

    geometry: ConvGeometry
    given: Planes
    made: Planes
    zero: int

    @cached_property
    def _reach(self) -> tuple[int, int]:
        """Rows and columns, counted in strides, from the first tap to the last."""
        g = self.geometry
        y, x = ((k - 1) * d // s for k, d, s in zip(g.kernel, g.dilation, g.stride, strict=True))
        return y, x

    @cached_property
    def in_place(self) -> bool:
        """Whether taps read the input itself."""
        g, given, made = self.geometry, self.given, self.made
        fits = g.stride == (1, 1) and given.pitch == made.pitch
        padded = given.pad_y >= g.padding[0] and given.pad_x >= g.padding[1]
        furthest = self._reach[0] * made.pitch + self._reach[1]
        return fits and padded and self._first + furthest + made.halves * HALF <= given.plane

    @cached_property
    def spread(self) -> bool:
        """Whether each column of taps has planes of its own, as the output's rows are too close for what taps reach."""
        return not self.in_place and self.made.pitch < self.geometry.out_width + self._reach[1]

    @property
    def _columns(self) -> int:
        """Columns, counted in strides, from the first tap of a plane to the last."""
        return 0 if self.spread else self._reach[1]

    @property
    def _first(self) -> int:
        return self.given.start - self.geometry.padding[0] * self.given.pitch - self.geometry.padding[1]

    @property
    def _furthest(self) -> int:
        """Distance from the first tap to the last."""
        return self._reach[0] * self.made.pitch + self._columns

    @cached_property
    def phases(self) -> I64:
        """Row and column of the first pixel of each phase plane, from the first tap on: shape (phases, 2)."""
        g = self.geometry
        rows, columns = (np.arange(k) * d for k, d in zip(g.kernel, g.dilation, strict=True))
        firsts = np.unique(rows % g.stride[0]), columns if self.spread else np.unique(columns % g.stride[1])
        return np.stack(np.meshgrid(*firsts, indexing="ij"), axis=-1).reshape(-1, 2)

    @property
    def base(self) -> int:
        """Place of the first tap of the first output pixel in a plane."""
        return self._first if self.in_place else 0

    @property
    def plane(self) -> int:
        """Bytes of a plane."""
        if self.in_place:
            return self.given.plane
        return -(-(self._furthest + self.made.halves * HALF) // CACHE_LINE) * CACHE_LINE

    @property
    def planes(self) -> int:
        """Planes of a sample."""
        return self.geometry.in_channels * len(self.phases)

    @property
    def sample(self) -> int:
        """Bytes of a sample."""
        return self.planes * self.plane

    @property
    def scratch(self) -> int:
        """Bytes of memory for phase planes, of all samples; 0 where there are none."""
        return 0 if self.in_place else self.geometry.batch * self.sample

    @property
    def reach(self) -> int:
        """Bytes that a tile reads of a plane beyond its own pixels."""
        return self._furthest

    def taps(self) -> tuple[I64, I64]:
        """Phase and distance of each tap, each of shape (KH * KW,)."""
        g = self.geometry
        rows, columns = np.indices(g.kernel).reshape(2, -1) * np.array(g.dilation)[:, None]
        ahead = 0 * columns if self.spread else columns // g.stride[1]
        wanted = np.stack([rows % g.stride[0], columns - ahead * g.stride[1]], axis=1)
        phase = (wanted[:, None] == self.phases).all(axis=2).argmax(axis=1)
        return phase, rows // g.stride[0] * self.made.pitch + ahead

    def prepare(self, x: Bytes, scratch: Bytes) -> tuple[Bytes, list[Call]]:
        """The array that taps read, and the calls that fill it."""
        if self.in_place:
            return x, []
        g, given = self.geometry, self.given
        planes, rows = scratch[: self.scratch], self._reach[0] + g.out_height
        if self._shifts:
            return planes, [(shift_planes, (x, planes, *self._shifting(rows)))]
        sizes = (
            *(g.batch * g.in_channels, given.plane, given.start, given.pitch, g.height, g.width),
            *(self.plane, self.made.pitch, rows, self._columns + g.out_width, *g.stride, *g.padding, self.zero),
        )
        return planes, [(deal_phases, (x, planes, self.phases, np.array(sizes, np.int64)))]

    def _shifting(self, rows: int) -> tuple[Bytes, int, I64]:
        """The last arguments of `shift_planes`, which copies some rows."""
        g = self.geometry
        masks = np.zeros((g.kernel[1], self._copied), np.uint8)
        for mask, column in zip(masks, self.phases[:, 1] - g.padding[1], strict=True):
            inside = (np.arange(g.width) + column >= 0) & (np.arange(g.width) + column < g.width)
            mask[: rows * g.width] = np.tile(np.where(inside, 255, 0), rows)
        planes = g.batch * g.in_channels, self.given.plane, self._first, self.plane
        return masks.ravel(), self.zero, np.array([*planes, self._copied, g.kernel[1], g.dilation[1]], np.int64)

    @property
    def _copied(self) -> int:
        """Bytes of a shifted plane, in whole half vectors."""
        return -(-(self._reach[0] + self.geometry.out_height) * self.made.pitch // HALF) * HALF

    @property
    def _shifts(self) -> bool:
        """Whether the planes of a column are those of the input, shifted."""
        g, given = self.geometry, self.given
        alike = self.spread and g.stride == (1, 1) and given.pitch == g.width == self.made.pitch
        last = self._first + (g.kernel[1] - 1) * g.dilation[1] + self._copied
        return alike and given.pad_y >= g.padding[0] and self._first >= 0 and last <= given.plane


@kernel
def shift_planes(x: Bytes, out: Bytes, masks: Bytes, zero: int, sizes: I64) -> None:
    """Copy planes, whose rows have no padding between them, once for each column of taps.

    Parameters
    ----------
    x, out : ndarray of uint8, flat
    masks : ndarray of uint8, flat, shape (columns * count,)
        255 for each byte of a copy that lies in the image, else 0.
    zero : int
        The zero point.
    sizes : ndarray of int64
        Channels of all samples; bytes of a plane, and the place of the first tap of the first pixel in it; bytes of a
        plane of `out`; count: bytes of it that are written; columns of taps, and bytes from one to the next.
    """
    plane, first, out_plane, count, columns, apart = sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]
    for channel in range(sizes[0]):
        for column in range(columns):
            place, to = channel * plane + first + column * apart, (channel * columns + column) * out_plane
            simd.copy_inside(x, place, out, to, masks, column * count, count, zero)


@kernel
def deal_phases(x: Bytes, out: Bytes, phases: I64, sizes: I64) -> None:
    """Deal planes out by stride.

    Parameters
    ----------
    x, out : ndarray of uint8, flat
    phases : ndarray of int64, shape (phases, 2)
        Row and column of each phase's first pixel, from the first tap on.
    sizes : ndarray of int64
        Channels of all samples; bytes of a plane, its first pixel, its pitch, its height and width; the same of a phase
        plane, from its first byte on; strides, padding, and the zero point.
    """
    channels, plane, start, pitch, height, width = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    out_plane, out_pitch, rows, columns = sizes[6], sizes[7], sizes[8], sizes[9]
    step_y, step_x, pad_y, pad_x, zero = sizes[10], sizes[11], sizes[12], sizes[13], sizes[14]
    simd.fill_bytes(out, 0, channels * len(phases) * out_plane, zero)
    for channel in range(channels):
        for phase in range(len(phases)):
            to = (channel * len(phases) + phase) * out_plane
            shift = phases[phase, 1] - pad_x
            first = max(0, -(shift // step_x))  # the first column that lies in the image
            end = min(columns, (width - 1 - shift) // step_x + 1)
            for row in range(rows):
                y = row * step_y + phases[phase, 0] - pad_y
                if 0 <= y < height and first < end:
                    begin = channel * plane + start + y * pitch + first * step_x + shift
                    copy_row(x, begin, out, to + row * out_pitch + first, end - first, step_x)


@inlined
def copy_row(x: Bytes, place: int, out: Bytes, index: int, count: int, step: int) -> None:
    """Copy `count` bytes, each `step`-th."""
    if step == 1:
        simd.copy_every((0,), x, place, out, index, count)
    elif step == 2:
        simd.copy_every((0, 0), x, place, out, index, count)
    elif step == 4:
        simd.copy_every((0, 0, 0, 0), x, place, out, index, count)
    else:
        for i in range(count):
            out[index + i] = x[place + i * step]
