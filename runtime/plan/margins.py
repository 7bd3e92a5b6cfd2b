"""Margins of constants: a pointwise convolution with padding makes them around what it makes of its input.

They hold ``clamp(shift)`` of each channel. Where only a global average reads them they are not computed: the average of
what lies within them is corrected instead, which rounds in another order. (SqueezeNet ends so: 169 of 225 pixels.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ...dcformat import Shape
from ..kernels.contract import F32
from .fold import Decode, scale_and_shift
from .fuse import Layer


@dataclass(frozen=True)
class Margin:
    """What a global average lacks: the margin of the value that it reads.

    Attributes
    ----------
    layer : Layer
        The convolution.
    share : float
        The part of all pixels that lie within the margin.
    """

    layer: Layer
    share: float

    def mean(self, channels: int, decode: Decode) -> F32:
        """What the margin adds to the mean of each channel, shape (channels,)."""
        _, shift = scale_and_shift(self.layer.node, self.layer.norms, decode, channels)
        constant = np.zeros(channels, np.float32) if shift is None else shift
        low, high = self.layer.limits
        mean: F32 = np.clip(constant, np.float32(low), np.float32(high)) * np.float32(1 - self.share)
        return mean


def cut_margins(
    layers: Sequence[Layer], shapes: Sequence[Shape], answers: Collection[int]
) -> tuple[list[Layer], list[Shape], dict[int, Margin]]:
    """Layers and shapes of values without margins that only global averages read, and those margins, by value."""
    readers = Counter(value for layer in layers for value in (*layer.inputs, layer.residual) if value is not None)
    averaged = {layer.inputs[0] for layer in layers if _is_global_average(layer)}
    made, sizes, margins = list(layers), list(shapes), {}
    for place, layer in enumerate(layers):
        value = layer.output
        if value in averaged and readers[value] == 1 and value not in answers and _has_margin(layer, shapes):
            inner = shapes[value][0], *shapes[layer.inputs[0]][1:]
            margins[value] = Margin(layer, prod(inner) / prod(shapes[value]))
            sizes[value] = inner
            made[place] = replace(layer, node=replace(layer.node, attrs={**layer.node.attrs, "padding": (0, 0)}))
    return made, sizes, margins


def _is_global_average(layer: Layer) -> bool:
    return layer.node.op == "adaptive_avg_pool2d" and layer.node.attrs["output"] == (1, 1)


def _has_margin(layer: Layer, shapes: Sequence[Shape]) -> bool:
    """Whether a layer is a pointwise convolution with padding, and adds nothing else."""
    attrs = layer.node.attrs
    if layer.node.op != "conv2d" or layer.pool is not None or layer.residual is not None:
        return False
    padding, given, made = attrs["padding"], shapes[layer.inputs[0]], shapes[layer.output]
    assert isinstance(padding, tuple)
    # at a stride of 1 only a window of one pixel makes an image larger by all of its padding
    whole = made[1:] == tuple(side + 2 * more for side, more in zip(given[1:], padding, strict=True))
    return attrs["stride"] == (1, 1) and any(padding) and whole
