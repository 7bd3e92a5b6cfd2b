"""Depthwise convolution tap by tap: of each channel, only the weights that are not zero are multiplied.

Of a layer with stride 1 and outputs as large as inputs, a plane is a line of pixels, cut into vectors without regard to
rows; so no lane is idle on a small image. At a stride of 2 a vector is a part of a row. For each tap and vector there
is a mask that leaves out the padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import kernel
from ...simd import LANES
from ..contract import F32, I64, WHOLE, Call, ConvGeometry, Epilogue, Share, tag
from ..descriptor import Conv, layer_fields, pack
from ..epilogue import clamp, epilogue_array, limits, scale_shift
from ..weights import SparseWeights


class Taps(IntEnum):
    """The fields of a descriptor behind those of `Conv`."""

    MULTIPLIER = len(Conv)
    """Output channels of an input channel."""
    VECTORS = auto()
    """Vectors of a plane of outputs, filled up to whole tiles."""
    TAPS = auto()
    """Taps of the kernel, zeros included."""


PLACES = len(Conv) + len(Taps)
"""Where, in the descriptor, the places of vectors begin: those of inputs, then those of outputs."""


@dataclass(frozen=True)
class PlaneTiling:
    """How a depthwise layer is cut.

    Attributes
    ----------
    geometry : ConvGeometry
    vectors : int
        Vectors of output pixels whose sums are in registers at a time.
    """

    geometry: ConvGeometry
    vectors: int

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether the kernel takes a layer."""
        return g.stride in ((1, 1), (2, 2)) and g.groups == g.in_channels > 1

    @property
    def flat(self) -> bool:
        """Whether a plane is a line of pixels."""
        g = self.geometry
        return g.stride == (1, 1) and g.out_width == g.width

    @property
    def tiles(self) -> int:
        """Tiles of a plane of outputs."""
        g = self.geometry
        rows, width = (1, g.out_height * g.out_width) if self.flat else (g.out_height, g.out_width)
        return -(-rows * -(-width // LANES) // self.vectors)

    @cached_property
    def pixels(self) -> tuple[I64, I64, NDArray[np.bool_]]:
        """Row and column of the output pixel in each lane of each vector, and whether there is one."""
        g = self.geometry
        rows, width = (1, g.out_height * g.out_width) if self.flat else (g.out_height, g.out_width)
        across = -(-width // LANES)
        vector, lane = np.arange(self.tiles * self.vectors)[:, None], np.arange(LANES)
        row, column = vector // across, vector % across * LANES + lane
        pixel = row * width + column
        return pixel // g.out_width, pixel % g.out_width, (row < rows) & (column < width)

    @property
    def places(self) -> I64:
        """Where the first lane of each vector lies in a plane of inputs, for a tap at (0, 0), and of outputs."""
        g, (row, column, _) = self.geometry, self.pixels
        y, x = row[:, 0] * g.stride[0] - g.padding[0], column[:, 0] * g.stride[1] - g.padding[1]
        return np.concatenate([y * g.width + x, row[:, 0] * g.out_width + column[:, 0]])

    @property
    def taps(self) -> I64:
        """How far a plane's pixel for each tap lies behind that for the first."""
        g = self.geometry
        ky, kx = np.indices(g.kernel).reshape(2, -1)
        return ky * g.dilation[0] * g.width + kx * g.dilation[1]

    @property
    def masks(self) -> NDArray[np.uint16]:
        """Lanes that are read: shape (tiles, taps, vectors, stride); behind them those that are stored: (vectors,)."""
        g, (row, column, whole), s = self.geometry, self.pixels, self.geometry.stride[1]
        ky, kx = (place[:, None, None] for place in np.indices(g.kernel).reshape(2, -1))
        y = row * s - g.padding[0] + ky * g.dilation[0]
        x = column * s - g.padding[1] + kx * g.dilation[1]
        read = whole & (y >= 0) & (y < g.height) & (x >= 0) & (x < g.width)
        spread = np.zeros((*read.shape, s), np.int64)
        spread[..., 0] = read  # lanes between those that are taken are not read
        bits = spread.reshape(len(ky), self.tiles, self.vectors, s, LANES) @ (1 << np.arange(LANES))
        return np.concatenate([bits.swapaxes(0, 1).ravel(), whole @ (1 << np.arange(LANES))]).astype(np.uint16)


@kernel
def conv_depthwise_taps(
    vectors: Any,
    step: Any,
    adds: Any,
    x: F32,
    out: F32,
    residual: F32,
    values: F32,
    taps: NDArray[np.uint8],
    starts: I64,
    offsets: I64,
    masks: NDArray[np.uint16],
    epilogue: F32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    vectors, step, adds : Tag
        As long as a tile has vectors, as the stride is, and as there are residuals.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only if there is one.
    values : ndarray of float32, shape (nnz,)
        Weights by output channel.
    taps : ndarray of uint8 or uint16, shape (nnz,)
        The number of each weight's tap.
    starts : ndarray of int64, shape (out_channels + 1,)
        The first weight of each output channel.
    offsets : ndarray of int64, shape (taps,)
        Of `PlaneTiling.taps`.
    masks : ndarray of uint16
        Of `PlaneTiling.masks`.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Taps`, and the places of vectors.
    """
    count, bounds, outputs = len(vectors), limits(epilogue), PLACES + d[Taps.VECTORS]
    in_plane, out_plane = d[Conv.HEIGHT] * d[Conv.WIDTH], d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH]
    stored = d[Taps.VECTORS] * d[Taps.TAPS] * len(step)
    for sample in range(d[Conv.SAMPLES]):
        for channel in range(d[Conv.FIRST], d[Conv.LAST]):
            scale, shift = scale_shift(epilogue, channel)
            image = (sample * d[Conv.IN_CHANNELS] + channel // d[Taps.MULTIPLIER]) * in_plane
            plane = (sample * d[Conv.OUT_CHANNELS] + channel) * out_plane
            first, last = simd.get(starts, channel), simd.get(starts, channel + 1)
            for vector in range(0, d[Taps.VECTORS], count):
                sums, mask = simd.zeros(vectors), vector * d[Taps.TAPS] * len(step)
                for k in range(first, last):
                    tap, weight = simd.get(taps, k), simd.splat(vectors, simd.get(values, k))
                    place, bits = image + simd.get(offsets, tap), mask + tap * count * len(step)
                    pixels = simd.load_places(vectors, step, x, place, d, PLACES + vector, masks, bits)
                    sums = simd.fma_vectors(weight, pixels, sums)
                value, place, bits = simd.scale_shift(sums, scale, shift), outputs + vector, stored + vector
                if len(adds) > 0:
                    more = simd.load_places(vectors, adds, residual, plane, d, place, masks, bits)
                    value = simd.add(value, more)
                simd.store_places(out, plane, d, place, masks, bits, clamp(value, bounds))


class ConvDepthwiseTaps:
    """A convolution packed for `conv_depthwise_taps`.

    Parameters
    ----------
    weight : Tensor
    tiling : PlaneTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_depthwise_taps"

    def __init__(self, weight: Tensor, tiling: PlaneTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        g, weights = tiling.geometry, SparseWeights.of(weight)
        taps = weights.indices.astype(np.min_scalar_type(g.kernel[0] * g.kernel[1]))
        values = weights.codebook[weights.symbols] if len(weights.codebook) else weights.symbols
        self._weights = np.ascontiguousarray(values, np.float32), taps, weights.indptr
        self._tables = tiling.taps, tiling.masks, epilogue_array(epilogue, g.out_channels)
        fields = pack(
            Conv,
            Taps,
            **layer_fields(g, epilogue),
            samples=g.batch,
            sums=0,
            first=0,
            last=g.out_channels,
            multiplier=g.out_channels // g.in_channels,
            vectors=tiling.tiles * tiling.vectors,
            taps=g.kernel[0] * g.kernel[1],
        )
        self._descriptor = np.concatenate([fields, tiling.places])
        self.weight_bytes = sum(array.nbytes for array in self._weights)
        self.scratch_elements = 0

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        g, flat_out = self.tiling.geometry, out.reshape(-1)
        d, (part, parts) = self._descriptor.copy(), share
        d[Conv.FIRST], d[Conv.LAST] = (g.out_channels * n // parts for n in (part, part + 1))
        if d[Conv.FIRST] == d[Conv.LAST]:
            return []
        tags = self.tiling.vectors, g.stride[1], int(residual is not None)
        arguments = (
            *(*map(tag, tags), x.reshape(-1), flat_out, flat_out if residual is None else residual.reshape(-1)),
            *(*self._weights, *self._tables, d),
        )
        return [(conv_depthwise_taps, arguments)]
