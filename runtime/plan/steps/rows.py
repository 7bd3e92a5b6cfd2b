"""Fully connected layers of several rows: as the samples of a kernel of such layers, or the pixels of a convolution.

A pointwise convolution wants channels first. So rows become columns before it, and again after it, which costs little
beside the multiplications.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ....dcformat.tensors import Dense, Tensor
from ...kernels.contract import F32, Call, ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from ...kernels.copy import copy
from ...kernels.transpose import transpose
from ...program import Bound
from ...simd import LANES
from .. import select, select_batch16
from ..memory import ALIGNMENT
from ..problem import Choice
from ..step import Context, shared
from ..target import Target

TURNED = 8.0
"""Cycles, as `cost` counts them, of a vector of 16 elements that a transposition moves."""


class RowLayer:
    """A layer of rows, packed for the kernel that is estimated to be fastest. The choice does not depend on the batch.

    Parameters
    ----------
    weight : Tensor
        Shape (outputs, inputs).
    epilogue : Epilogue
    rows : int
        Rows of a sample.
    context : Context
    parts : int
        Threads that share it.

    Attributes
    ----------
    layer : PackedLayer
    scratch_elements : int
        float32 elements of scratch that `bind` needs.
    """

    def __init__(self, weight: Tensor, epilogue: Epilogue, rows: int, context: Context, parts: int) -> None:
        self._rows, self._samples, self._lanes, self._parts = rows, context.samples, context.lanes, parts
        geometry = _as_image(weight, rows, context)
        convolution = _convolution(weight, epilogue, rows, geometry, context)
        self._turned = convolution is not None
        self.layer: PackedLayer = (
            convolution or _linear(weight, epilogue, rows * context.batch, context.target)
        ).pack()
        pixels = geometry.height * geometry.width * context.lanes
        self._inputs, self._outputs = (context.samples * n * pixels if self._turned else 0 for n in weight.shape[::-1])
        self._room = -(-self.layer.scratch_elements // ALIGNMENT) * ALIGNMENT
        self.scratch_elements = self._inputs + self._outputs + parts * self._room

    def bind(self, inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        """Bind to arrays of shape (samples, ..., features, lanes): the input, and maybe a residual."""
        x, *residual = inputs
        if not self._turned:
            return self._shared(x, out, residual[0] if residual else None, scratch)
        columns, made = scratch[: self._inputs], scratch[self._inputs : self._inputs + self._outputs]
        before = [self._turn(x, columns), *(self._turn(each, made) for each in residual)]
        calls = self._shared(columns, made, made if residual else None, scratch[self._inputs + self._outputs :])
        return [*before, *calls, self._turn(out, made, back=True)]

    def _shared(self, x: F32, out: F32, residual: F32 | None, scratch: F32) -> Sequence[Bound]:
        rooms = [scratch[i * self._room :] for i in range(self._parts)]
        bound = [self.layer.bind(x, out, residual, room, (i, self._parts)) for i, room in enumerate(rooms)]
        return shared(bound, self.layer.bind(x, out, residual, scratch))

    def _turn(self, rows: F32, columns: F32, back: bool = False) -> Call:
        """From rows of features to features of rows, or back."""
        samples, features = self._samples, rows.shape[-2]
        if self._lanes > 1:
            source = np.swapaxes(rows.reshape(samples, self._rows, features, self._lanes), 1, 2)
            target = columns.reshape(samples, features, self._rows, self._lanes)
            return copy(source, target) if back else copy(target, source)
        flat, pitch = rows.reshape(-1), columns.size // (samples * features)
        if back:
            return transpose, (columns, flat, features, self._rows, pitch, features, 0, samples)
        return transpose, (flat, columns, self._rows, features, features, pitch, 0, samples)


def _as_image(weight: Tensor, rows: int, context: Context) -> ConvGeometry:
    """Rows as the pixels of an image, filled up to whole vectors."""
    height, width = (1, rows) if context.lanes > 1 else (-(-rows // LANES), LANES)
    (outputs, inputs), one = weight.shape, (1, 1)
    return ConvGeometry(context.batch, inputs, height, width, outputs, one, one, (0, 0), one, 1, height, width)


def _convolution(
    weight: Tensor, epilogue: Epilogue, rows: int, geometry: ConvGeometry, context: Context
) -> Choice | None:
    """The convolution that a layer of rows is; None if a kernel of fully connected layers is faster."""
    shape = (*weight.shape, 1, 1)
    pointwise: Tensor
    if isinstance(weight, Dense):
        pointwise = replace(weight, array=weight.array.reshape(shape))
    else:
        pointwise = replace(weight, shape=shape)
    target = context.target
    if context.lanes > 1:
        return select_batch16.conv_choices(pointwise, geometry, epilogue, target)[0]
    best = select.conv_choices(pointwise, geometry, epilogue, target)[0]
    moved = geometry.in_channels + geometry.out_channels * (2 if epilogue.residual else 1)
    turned = best.cycles + moved * geometry.height * TURNED
    return best if turned < rows * _linear(weight, epilogue, 1, target).cycles else None


def _linear(weight: Tensor, epilogue: Epilogue, batch: int, target: Target) -> Choice:
    outputs, inputs = weight.shape
    return select.linear_choices(weight, LinearGeometry(batch, inputs, outputs), epilogue, target)[0]
