"""Depthwise convolution: each output channel sees one input channel, through a kernel whose weights stay in registers.

Pixels are loaded where they lie, through masks that leave out the padding, and each serves all output rows whose
windows it lies in. Zeros among the weights are multiplied like any other: a look-up of the few others would take as
long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import kernel
from ...simd import LANES
from ..contract import F32, I64, WHOLE, Call, ConvGeometry, Epilogue, Share, tag
from ..descriptor import Conv, layer_fields, pack
from ..epilogue import clamp, epilogue_array, limits, scale_shift
from ..weights import DenseWeights

KERNELS = (3, 5, 7)
"""Edges of the square kernels that are taken: each is compiled on its own."""


class Depthwise(IntEnum):
    """The field of a descriptor behind those of `Conv`."""

    MULTIPLIER = len(Conv)
    """Output channels of an input channel."""


NOTHING: F32 = np.zeros(4 * LANES, np.float32)
"""What is read in place of rows outside the image."""
MASKS = len(Conv) + len(Depthwise)
"""Where, in the descriptor, the masks of loads begin."""


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
    def masks(self) -> I64:
        """The bits of the lanes that do not lie in the padding, for the loads of each vector of an output row.

        As `simd.fma_window` takes them: shape (chunks, loads).
        """
        g, stride = self.geometry, self.geometry.stride[1]
        end = stride * LANES + g.kernel[1] - stride
        place = np.arange(0, end, LANES)[:, None] + np.arange(LANES)
        column = np.arange(self.chunks)[:, None, None] * LANES * stride + place - g.padding[1]
        inside = (place < end) & (column >= 0) & (column < g.width)
        return inside @ (1 << np.arange(LANES))


@kernel
def conv_depthwise(
    rows_tag: Any,
    taps: Any,
    columns: Any,
    step: Any,
    adds: Any,
    x: F32,
    out: F32,
    residual: F32,
    weights: F32,
    nothing: F32,
    epilogue: F32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    rows_tag, taps, columns, step, adds : Tag
        As long as a tile has rows, as the kernel has weights and columns, as the stride is, and as there are residuals.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only if there is one.
    weights : ndarray of float32, flat
        By output channel.
    nothing : ndarray of float32
        Read in place of rows outside the image: `NOTHING`.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Depthwise`, and the masks of loads.
    """
    rows, stride, bounds = len(rows_tag), len(step), limits(epilogue)
    loads = (stride * LANES + len(columns) - stride - 1) // LANES + 1
    width, height, pitch, in_height = d[Conv.OUT_WIDTH], d[Conv.OUT_HEIGHT], d[Conv.WIDTH], d[Conv.HEIGHT]
    pad_y, pad_x = d[Conv.PAD_Y], d[Conv.PAD_X]
    for sample in range(d[Conv.SAMPLES]):
        for channel in range(d[Conv.FIRST], d[Conv.LAST]):
            filters = simd.spread(taps, weights, channel * len(taps))
            scale, shift = scale_shift(epilogue, channel)
            image = (sample * d[Conv.IN_CHANNELS] + channel // d[Depthwise.MULTIPLIER]) * in_height * pitch
            plane = (sample * d[Conv.OUT_CHANNELS] + channel) * height * width
            masks = MASKS
            for column in range(0, width, LANES):
                first, left = image + column * stride - pad_x, width - column
                for row in range(0, height, rows):
                    sums = simd.fma_window(
                        *(simd.zeros(rows_tag), filters, columns, step, x, first, pitch),
                        *(d, masks, row * stride - pad_y, in_height, nothing),
                    )
                    value = simd.scale_shift(sums, scale, shift)
                    place, end = plane + row * width + column, (height - row) * width - column
                    if len(adds) > 0:
                        value = simd.add(value, simd.load_rows(rows_tag, residual, place, width, 0, left, end))
                    value = clamp(value, bounds)
                    if row + rows <= height:
                        simd.store_rows(out, place, width, 0, left, None, value)
                    else:
                        simd.store_rows(out, place, width, 0, left, end, value)
                masks += loads


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
        )
        self._descriptor = np.concatenate([fields, tiling.masks.ravel()])
        self.weight_bytes = self._weights.nbytes
        self.scratch_elements = 0

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        g, flat_out = self.tiling.geometry, out.reshape(-1)
        d, (part, parts) = self._descriptor.copy(), share
        d[Conv.FIRST], d[Conv.LAST] = (g.out_channels * n // parts for n in (part, part + 1))
        if d[Conv.FIRST] == d[Conv.LAST]:
            return []
        tags = (self.tiling.rows, g.kernel[0] * g.kernel[1], g.kernel[1], g.stride[1], int(residual is not None))
        arguments = (
            *(*map(tag, tags), x.reshape(-1), flat_out),
            *(flat_out if residual is None else residual.reshape(-1), self._weights, NOTHING, self._epilogue, d),
        )
        return [(conv_depthwise, arguments)]
