"""Depthwise convolution: each output channel sees one input channel, through a kernel whose weights stay in registers.

Some rows of a channel are packed at a time, so that loads need no masks: with zeros for the padding, and at a stride of
2 the columns by phase. A packed row serves all output rows whose windows it lies in. Zeros among the weights are
multiplied like any other: a look-up of the few others would take as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Any

import numpy as np

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32, I64, WHOLE, Call, ConvGeometry, Epilogue, Share, tag
from ..descriptor import Conv, layer_fields, pack
from ..epilogue import clamp, epilogue_array, limits, scale_shift
from ..weights import DenseWeights

KERNELS = (3, 5, 7)
"""Edges of the square kernels that are taken: each is compiled on its own."""
PACKED = 4096
"""Elements of packed rows, which stay in the L1 cache."""


class Depthwise(IntEnum):
    """The fields of a descriptor behind those of `Conv`."""

    MULTIPLIER = len(Conv)
    """Output channels of an input channel."""
    PITCH = auto()
    """Elements of a packed row."""
    BAND = auto()
    """Output rows whose windows are packed at a time."""
    TOGETHER = auto()
    """Output channels that are packed at a time."""


MASKS = len(Conv) + len(Depthwise)
"""Where, in the descriptor, the masks of a row's vectors begin."""


@dataclass(frozen=True)
class WindowTiling:
    """How a depthwise layer is cut.

    Attributes
    ----------
    geometry : ConvGeometry
    rows : int
        Output rows, a vector of each, whose sums are in registers at a time.
    """

    geometry: ConvGeometry
    rows: int

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether the kernel takes a layer."""
        square = g.kernel[0] == g.kernel[1] in KERNELS and g.stride[0] == g.stride[1] in (1, 2)
        return square and g.dilation == (1, 1) and g.groups == g.in_channels > 1

    @property
    def chunks(self) -> int:
        """Vectors of an output row."""
        return -(-self.geometry.out_width // LANES)

    @property
    def bands(self) -> int:
        """Times that `rows` output rows are computed for a channel."""
        return -(-self.geometry.out_height // self.rows)

    @property
    def pitch(self) -> int:
        """Elements of a packed row: of whole vectors for each phase."""
        g = self.geometry
        return -(-(g.out_width + (g.kernel[1] - 1) // g.stride[1]) // LANES) * LANES * g.stride[1]

    @property
    def masks(self) -> I64:
        """For each vector of an input row, padding included, the bits of the lanes that do not lie in the padding."""
        column = np.arange(self.pitch) - self.geometry.padding[1]
        inside = (column >= 0) & (column < self.geometry.width)
        return inside.reshape(-1, LANES) @ (1 << np.arange(LANES))

    def packed_rows(self, bands: int) -> int:
        """Number of input rows that the windows of `bands` bands of `rows` output rows each see."""
        g = self.geometry
        return (bands * self.rows - 1) * g.stride[0] + g.kernel[0]

    @property
    def bands_packed(self) -> int:
        """Times `rows` output rows whose windows are packed at a time."""
        fitting = [n for n in range(1, self.bands + 1) if self.packed_rows(n) * self.pitch <= PACKED]
        return max(fitting, default=1)

    @property
    def together(self) -> int:
        """Output channels that are packed at a time: a row is read long after it is written, so no load waits."""
        if self.bands_packed < self.bands:
            return 1
        return max(1, PACKED // (self.packed_rows(self.bands) * self.pitch))


@kernel
def conv_depthwise(
    rows_tag: Any,
    taps: Any,
    columns: Any,
    step: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    weights: F32,
    epilogue: F32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    rows_tag, taps, columns, step : Tag
        As long as a tile has rows, as the kernel has weights and columns, and as the stride is.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        The packed rows.
    weights : ndarray of float32, flat
        By output channel.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Depthwise`, and the masks of a row's vectors.
    """
    stride, height = len(step), len(taps) // len(columns)
    pitch, band_rows, together = d[Depthwise.PITCH], d[Depthwise.BAND], d[Depthwise.TOGETHER]
    room = ((band_rows - 1) * stride + height) * pitch
    for sample in range(d[Conv.SAMPLES]):
        for first in range(d[Conv.FIRST], d[Conv.LAST], together):
            last = min(first + together, d[Conv.LAST])
            for band in range(0, d[Conv.OUT_HEIGHT], band_rows):
                end = min(band + band_rows, d[Conv.OUT_HEIGHT])
                for channel in range(first, last):
                    plane = sample * d[Conv.IN_CHANNELS] + channel // d[Depthwise.MULTIPLIER]
                    rows = (end - band - 1) * stride + height
                    _pack(step, x, plane, band * stride - d[Conv.PAD_Y], rows, scratch, (channel - first) * room, d)
                for channel in range(first, last):
                    filters = simd.spread(taps, weights, channel * len(taps))
                    for row in range(band, end, len(rows_tag)):
                        at = (channel - first) * room + (row - band) * stride * pitch
                        _window(
                            rows_tag,
                            filters,
                            columns,
                            step,
                            scratch,
                            at,
                            sample,
                            channel,
                            row,
                            out,
                            residual,
                            epilogue,
                            d,
                        )


@inlined
def _window(
    rows_tag: Any, filters: Any, columns: Any, step: Any, scratch: F32, at: int, sample: int, channel: int, row: int,
    out: F32, residual: F32, epilogue: F32, d: I64,
) -> None:  # fmt: skip
    """Compute some rows of outputs of a channel, of packed rows from ``scratch[at]`` on."""
    width, plane = d[Conv.OUT_WIDTH], d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH]
    scale, shift = scale_shift(epilogue, channel)
    bounds = limits(epilogue)
    place = (sample * d[Conv.OUT_CHANNELS] + channel) * plane + row * width
    whole = row + len(rows_tag) <= d[Conv.OUT_HEIGHT]
    for column in range(0, width, LANES):
        sums = simd.fma_window(simd.zeros(rows_tag), filters, columns, step, scratch, at + column, d[Depthwise.PITCH])
        value = simd.scale_shift(sums, scale, shift)
        left, end = width - column, plane - row * width - column
        if d[Conv.RESIDUAL] != 0:
            value = simd.add(value, simd.load_rows(rows_tag, residual, place + column, width, 0, left, end))
        value = clamp(value, bounds)
        if whole:
            simd.store_rows(out, place + column, width, 0, left, None, value)
        else:
            simd.store_rows(out, place + column, width, 0, left, end, value)


@inlined
def _pack(step: Any, x: F32, plane: int, first: int, rows: int, scratch: F32, at: int, d: I64) -> None:
    """Pack rows `first` and after of an input channel, from ``scratch[at]`` on."""
    height, width, pitch, masks = d[Conv.HEIGHT], d[Conv.WIDTH], d[Depthwise.PITCH], MASKS
    phase, zeros = pitch // len(step), simd.zeros((0,))
    for y in range(first, first + rows):
        source, inside = (plane * height + y) * width - d[Conv.PAD_X], np.int64(0 <= y < height)
        for i in range(phase // LANES):
            column = i * LANES
            if len(step) == 1:
                pixels = simd.load_masked_or(x, source + column, simd.get(d, masks + i) * inside, zeros)
                simd.store(scratch, at + column, pixels)
            else:
                begin = source + 2 * column
                left = simd.load_masked_or(x, begin, simd.get(d, masks + 2 * i) * inside, zeros)
                right = simd.load_masked_or(x, begin + LANES, simd.get(d, masks + 2 * i + 1) * inside, zeros)
                simd.store(scratch, at + column, simd.concat_even(left, right))
                simd.store(scratch, at + phase + column, simd.concat_odd(left, right))
        at += pitch


class ConvDepthwise:
    """A convolution packed for `conv_depthwise`.

    Parameters
    ----------
    weight : Tensor
    tiling : WindowTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_depthwise"

    def __init__(self, weight: Tensor, tiling: WindowTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        g, weights = tiling.geometry, DenseWeights.of(weight)
        symbols, codebook = weights.symbols.reshape(-1), weights.codebook
        self._weights: F32 = codebook[symbols] if len(codebook) else np.ascontiguousarray(symbols)
        self._epilogue = epilogue_array(epilogue, g.out_channels)
        fields = pack(
            Conv,
            Depthwise,
            **layer_fields(g, epilogue),
            samples=g.batch,
            sums=0,
            first=0,
            last=g.out_channels,
            multiplier=g.out_channels // g.in_channels,
            pitch=tiling.pitch,
            band=tiling.bands_packed * tiling.rows,
            together=tiling.together,
        )
        self._descriptor = np.concatenate([fields, tiling.masks])
        self.weight_bytes = self._weights.nbytes
        # A load of the last window may begin within its row and reach into the next.
        self.scratch_elements = tiling.together * tiling.packed_rows(tiling.bands_packed) * tiling.pitch + LANES

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `layer.PackedLayer`."""
        g, flat_out = self.tiling.geometry, out.reshape(-1)
        d, (part, parts) = self._descriptor.copy(), share
        d[Conv.FIRST], d[Conv.LAST] = (g.out_channels * n // parts for n in (part, part + 1))
        if d[Conv.FIRST] == d[Conv.LAST]:
            return []
        tags = (self.tiling.rows, g.kernel[0] * g.kernel[1], g.kernel[1], g.stride[1])
        arguments = (
            *(*map(tag, tags), x.reshape(-1), flat_out),
            *(flat_out if residual is None else residual.reshape(-1), scratch),
            *(self._weights, self._epilogue, d),
        )
        return [(conv_depthwise, arguments)]
