"""Depthwise convolution of small images: two channels lie side by side in the lanes, 8 pixels of a row of each.

A row of the image is loaded at once. Each tap picks its pixels from it, lane by lane, so that a stride of 2 costs no
more than one of 1. Zeros among the weights are multiplied like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import kernel
from ...simd import LANES
from ..contract import F32, I64, WHOLE, Call, ConvGeometry, Epilogue, Share, tag
from ..descriptor import Conv, layer_fields, pack
from ..epilogue import clamp, epilogue_array, limits
from ..weights import DenseWeights
from .depthwise import NOTHING, Depthwise, WindowTiling

PAIR = 2
"""Channels of a vector."""


@dataclass(frozen=True)
class PairTiling(WindowTiling):
    """How a depthwise layer is cut; see `WindowTiling`."""

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether the kernel takes a layer."""
        small = g.width < LANES and g.out_width <= LANES // PAIR
        return WindowTiling.fits(g) and small and g.out_channels % PAIR == 0


@kernel
def conv_depthwise_pairs(
    rows_tag: Any,
    taps: Any,
    columns: Any,
    step: Any,
    pad: Any,
    x: F32,
    out: F32,
    weights: F32,
    nothing: F32,
    epilogue: F32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    rows_tag, taps, columns, step, pad : Tag
        As long as a tile has rows, as the kernel has weights and columns, as the stride is, and as the horizontal
        padding.
    x, out : ndarray of float32, flat
        Activations.
    weights : ndarray of float32, flat
        By pair of output channels, and tap.
    nothing : ndarray of float32
        Read in place of rows outside the image: `NOTHING`.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Depthwise`. A part of the work is a range of pairs.
    """
    rows, stride, bounds = len(rows_tag), len(step), limits(epilogue)
    width, height, pitch, in_height = d[Conv.OUT_WIDTH], d[Conv.OUT_HEIGHT], d[Conv.WIDTH], d[Conv.HEIGHT]
    in_plane, out_plane, bits = in_height * pitch, height * width, (1 << pitch) - 1
    for sample in range(d[Conv.SAMPLES]):
        for pair in range(d[Conv.FIRST], d[Conv.LAST]):
            channel = pair * PAIR
            inputs = sample * d[Conv.IN_CHANNELS] + channel // d[Depthwise.MULTIPLIER]
            others = sample * d[Conv.IN_CHANNELS] + (channel + 1) // d[Depthwise.MULTIPLIER]
            outputs = (sample * d[Conv.OUT_CHANNELS] + channel) * out_plane
            scale = simd.splat_pair(rows_tag, epilogue, channel)
            shift = simd.splat_pair(rows_tag, epilogue, len(epilogue) // 2 - 1 + channel)
            for row in range(0, height, rows):
                sums = simd.fma_pairs(
                    *(simd.zeros(rows_tag), taps, columns, step, pad, weights, pair * PAIR * len(taps)),
                    *(x, inputs * in_plane, others * in_plane, pitch, bits),
                    *(row * stride - d[Conv.PAD_Y], in_height, nothing),
                )
                value = clamp(simd.fma_vectors(sums, scale, shift), bounds)
                place = outputs + row * width
                simd.store_pairs(out, place, place + out_plane, width, width, height - row, value)


class ConvDepthwisePairs:
    """A convolution packed for `conv_depthwise_pairs`.

    Parameters
    ----------
    weight : Tensor
    tiling : PairTiling
    epilogue : Epilogue
        Without a residual.
    """

    kernel_name = "conv_depthwise_pairs"

    def __init__(self, weight: Tensor, tiling: PairTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        g, weights = tiling.geometry, DenseWeights.of(weight)
        self._pairs, codebook = g.out_channels // PAIR, weights.codebook
        paired = weights.symbols.reshape(self._pairs, PAIR, -1).swapaxes(1, 2).reshape(-1)
        self._weights: F32 = codebook[paired] if len(codebook) else np.ascontiguousarray(paired)
        self._epilogue = epilogue_array(epilogue, g.out_channels)
        self._descriptor = pack(
            Conv,
            Depthwise,
            **layer_fields(g, epilogue),
            samples=g.batch,
            sums=0,
            first=0,
            last=self._pairs,
            multiplier=g.out_channels // g.in_channels,
        )
        self.weight_bytes = self._weights.nbytes
        self.scratch_elements = 0

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        g, d, (part, parts) = self.tiling.geometry, self._descriptor.copy(), share
        d[Conv.FIRST], d[Conv.LAST] = (self._pairs * n // parts for n in (part, part + 1))
        if d[Conv.FIRST] == d[Conv.LAST]:
            return []
        tags = self.tiling.rows, g.kernel[0] * g.kernel[1], g.kernel[1], g.stride[1], g.padding[1]
        arguments = *map(tag, tags), x.reshape(-1), out.reshape(-1), self._weights, NOTHING, self._epilogue, d
        return [(conv_depthwise_pairs, arguments)]
