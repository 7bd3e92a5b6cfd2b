"""Convolution of an image of a few pixels, unrolled into a fully connected layer.

On 2 x 2 pixels most lanes of a tile would idle, and most taps of a 3 x 3 kernel lie in the padding. Unrolled, each
stored weight appears once for each output pixel for which its tap lies in the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import SparseRaw, SparseShared
from ..contract import F32, WHOLE, Call, ConvGeometry, Epilogue, LinearGeometry, PackedLayer, Share
from ..weights import SparseWeights


def unroll(weights: SparseWeights, geometry: ConvGeometry) -> SparseShared | SparseRaw:
    """Weights of the fully connected layer from (channel, row, column) of the input to those of the output."""
    g = geometry
    outputs = np.repeat(np.arange(g.out_channels), np.diff(weights.indptr))
    inputs, ky, kx = np.unravel_index(weights.indices, (g.in_channels // g.groups, *g.kernel))
    inputs = inputs + outputs // (g.out_channels // g.groups) * (g.in_channels // g.groups)
    pixels = g.out_height * g.out_width
    rows: list[NDArray[Any]] = []
    columns: list[NDArray[Any]] = []
    kept: list[NDArray[Any]] = []
    for pixel in range(pixels):
        y = pixel // g.out_width * g.stride[0] - g.padding[0] + ky * g.dilation[0]
        x = pixel % g.out_width * g.stride[1] - g.padding[1] + kx * g.dilation[1]
        inside = np.flatnonzero((y >= 0) & (y < g.height) & (x >= 0) & (x < g.width))
        rows.append(outputs[inside] * pixels + pixel)
        columns.append(((inputs * g.height + y) * g.width + x)[inside])
        kept.append(inside)
    shape = (g.out_channels * pixels, g.in_channels * g.height * g.width)
    return weights.moved(shape, np.concatenate(rows), np.concatenate(columns), np.concatenate(kept))


def linear_geometry(geometry: ConvGeometry) -> LinearGeometry:
    """Sizes of the unrolled layer."""
    g = geometry
    return LinearGeometry(g.batch, g.in_channels * g.height * g.width, g.out_channels * g.out_height * g.out_width)


def linear_epilogue(epilogue: Epilogue, geometry: ConvGeometry) -> Epilogue:
    """The epilogue, each channel's for all its pixels."""
    return epilogue.repeated(geometry.out_height * geometry.out_width)


class ConvUnrolled:
    """A convolution run by a kernel of fully connected layers."""

    kernel_name = "conv_unrolled"

    def __init__(self, linear: PackedLayer) -> None:
        self._linear = linear
        self.weight_bytes = linear.weight_bytes
        self.scratch_elements = linear.scratch_elements

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        return self._linear.bind(x, out, residual, scratch, share)
