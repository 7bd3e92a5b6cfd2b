"""Operators on lines of shape (C, L), run as their twins on images of height 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ....dcformat import Shape
from ....dcformat.graph.ops.lines import image_attrs
from ....dcformat.tensors import Dense, Tensor
from ...kernels.contract import F32
from ...program import Bound
from ..fuse import Layer
from ..step import Builder, Context, Step


def on_lines(build: Builder) -> Builder:
    """The builder of an operator on lines, of that of its twin on images."""

    def build_lines(layer: Layer, context: Context) -> Step:
        node = replace(layer.node, attrs=image_attrs(layer.node.attrs))
        shapes = [_image(shape) if len(shape) == 2 else shape for shape in context.shapes]
        images = replace(context, shapes=shapes, decode=lambda name: _filters(context.decode(name)))
        step = build(replace(layer, node=node), images)

        def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
            return step.bind([_rows(x) for x in inputs], _rows(out), scratch)

        return replace(step, bind=bind)

    return build_lines


def _image(line: Shape) -> Shape:
    return line[0], 1, line[1]


def _rows(array: F32) -> F32:
    """An array ``(samples, C, L, lanes)`` as images."""
    return array[:, :, None]


def _filters(tensor: Tensor) -> Tensor:
    """Filters ``(O, I, K)`` as those of images; other tensors as they are."""
    if len(tensor.shape) != 3:
        return tensor
    shape = (*tensor.shape[:2], 1, tensor.shape[2])
    return (
        replace(tensor, array=tensor.array.reshape(shape))
        if isinstance(tensor, Dense)
        else replace(tensor, shape=shape)
    )
