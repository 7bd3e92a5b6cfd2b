"""What the taps of an integer convolution read: the planes of its input, or phase planes that are made of them.

Where rows of input and output are equally far apart and the stride is 1, each tap reads the input's planes at one
distance for all pixels. Otherwise the input is dealt out by stride into planes whose rows lie as far apart as the
output's: plane ``phase`` of a channel holds the pixels of which row and column have one remainder by the stride.
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

    def __post_init__(self) -> None:
        """Check that rows of the output are far enough apart for what taps reach."""
        needed = self.geometry.out_width + self._reach[1]
        if not self.in_place and self.made.pitch < needed:
            raise ValueError(f"rows of {self.made.pitch} bytes are too short for taps that reach {needed}")

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
        return fits and padded and self._first + self._furthest + made.halves * HALF <= given.plane

    @property
    def _first(self) -> int:
        return self.given.start - self.geometry.padding[0] * self.given.pitch - self.geometry.padding[1]

    @property
    def _furthest(self) -> int:
        """Distance from the first tap to the last."""
        return self._reach[0] * self.made.pitch + self._reach[1]

    @cached_property
    def phases(self) -> I64:
        """Remainders of rows and columns by the stride that taps read, shape (phases, 2)."""
        g = self.geometry
        rests = [sorted({k * g.dilation[i] % g.stride[i] for k in range(g.kernel[i])}) for i in range(2)]
        return np.array([(y, x) for y in rests[0] for x in rests[1]], np.int64)

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
        at = np.indices(g.kernel).reshape(2, -1) * np.array(g.dilation)[:, None]
        stride = np.array(g.stride)[:, None]
        keys, wanted = self.phases @ [g.stride[1], 1], [g.stride[1], 1] @ (at % stride)
        steps = at // stride
        return np.searchsorted(keys, wanted), steps[0] * self.made.pitch + steps[1]

    def prepare(self, x: Bytes, scratch: Bytes) -> tuple[Bytes, list[Call]]:
        """The array that taps read, and the calls that fill it."""
        if self.in_place:
            return x, []
        g, given = self.geometry, self.given
        rows, columns = (self._reach[0] + g.out_height, self._reach[1] + g.out_width)
        sizes = (
            *(g.batch * g.in_channels, given.plane, given.start, given.pitch, g.height, g.width),
            *(self.plane, self.made.pitch, rows, columns, *g.stride, *g.padding, self.zero),
        )
        planes = scratch[: self.scratch]
        return planes, [(deal_phases, (x, planes, self.phases, np.array(sizes, np.int64)))]


@kernel
def deal_phases(x: Bytes, out: Bytes, phases: I64, sizes: I64) -> None:
    """Deal planes out by stride.

    Parameters
    ----------
    x, out : ndarray of uint8, flat
    phases : ndarray of int64, shape (phases, 2)
        Remainders of the rows and columns that each phase takes.
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
