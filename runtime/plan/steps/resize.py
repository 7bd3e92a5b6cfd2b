"""Steps that resize images and lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from ....dcformat.graph.ops.resize import Taps, axis_taps
from ...kernels.contract import F32, Call
from ...kernels.resize import resize as interpolate
from ...kernels.resize import resize_nearest
from ..fuse import Layer
from ..memory import Use
from ..step import Builder, Context, Step, view
from .lines import on_lines


def resize(layer: Layer, context: Context) -> Step:
    """Interpolation in an image."""
    attrs, lanes = layer.node.attrs, context.lanes
    (_, height, width), (_, out_h, out_w) = context.shapes[layer.inputs[0]], context.shapes[layer.output]
    rows, row_weights = _useful(axis_taps(height, out_h, cast(float, attrs["scale_y"]), attrs))
    taps, weights = _useful(axis_taps(width, out_w, cast(float, attrs["scale_x"]), attrs))
    if (height, width) == (out_h, out_w) and _in_place(rows) and _in_place(taps):
        return view(layer)
    # Where samples lie side by side, each lane is a column of its own.
    columns = (taps.T[:, :, None] * lanes + np.arange(lanes)).reshape(-1, out_w * lanes)
    row_factors = np.ascontiguousarray(row_weights, np.float32)
    column_factors = np.repeat(weights.T, lanes, axis=1).astype(np.float32)
    nearest = attrs["mode"] == "nearest"

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x, y = inputs[0].reshape(-1, height, width * lanes), out.reshape(-1, out_h, out_w * lanes)
        if nearest:
            return [(resize_nearest, (x, y, rows[:, 0].copy(), columns[0]))]
        return [(interpolate, (x, y, scratch, rows, row_factors, columns, column_factors))]

    use = Use(layer.inputs, layer.output, scratch=0 if nearest else width * lanes)
    return Step("resize", f"resize_{attrs['mode']}", use, bind)


def _useful(taps: Taps) -> Taps:
    """The taps without those whose weights are all zero: of an axis that keeps its length, all but one."""
    indices, weights = taps
    kept = weights.any(axis=0)
    return np.ascontiguousarray(indices[:, kept]), weights[:, kept]


def _in_place(indices: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> bool:
    """Whether each output is the element in the same place."""
    return indices.shape[1] == 1 and bool((indices[:, 0] == np.arange(len(indices))).all())


def image_or_line(layer: Layer, context: Context) -> Step:
    """Interpolation in an image, or in a line as an image of height 1."""
    is_line = len(context.shapes[layer.output]) == 2
    return (on_lines(resize) if is_line else resize)(layer, context)


STEPS: Mapping[str, Builder] = {"resize": image_or_line}
