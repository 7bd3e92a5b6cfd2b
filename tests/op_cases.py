"""Cases of every operator, for the tests that all operators have in common: shape, meaning, torch, runtime.

A new operator gets its rows in `CASES`; a test asks for one at least.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dcz.dcformat import Graph, GraphBuilder, Shape
from dcz.dcformat.tensors import Array

IMAGE = (3, 17, 23)
LINE = (4, 33)
UPSAMPLING = {"stride": (2, 2), "padding": (1, 1)}
UNEVEN = {"stride": (3, 2), "output_padding": (0, 1), "dilation": (1, 2), "padding": (0, 2), "groups": 2}
UNEVEN_LINE = {"padding": (2,), "dilation": (3,), "groups": 2}
SMALL = (4, 5, 6)
WITHOUT_PAD = {"count_include_pad": False}
HALF_PIXEL = {"coordinates": "half_pixel"}


class OpCase(NamedTuple):
    """One operator on inputs and tensors of these shapes, and the shape that it makes."""

    op: str
    inputs: list[Shape]
    params: Mapping[str, Shape]
    attrs: Mapping[str, Any]
    output: Shape


CASES = [
    OpCase("conv2d", [IMAGE], {"weight": (8, 3, 3, 5)}, {}, (8, 15, 19)),
    OpCase("conv2d", [IMAGE], {"weight": (8, 3, 3, 3), "bias": (8,)}, {"stride": (2, 3), "padding": (1, 0)}, (8, 9, 7)),
    OpCase("conv2d", [IMAGE], {"weight": (6, 1, 3, 3)}, {"groups": 3, "dilation": (2, 4)}, (6, 13, 15)),
    OpCase(
        "conv1d", [LINE], {"weight": (6, 2, 5), "bias": (6,)}, {"stride": (2,), "padding": (3,), "groups": 2}, (6, 18)
    ),
    OpCase("conv1d", [LINE], {"weight": (6, 4, 5)}, {"dilation": (3,)}, (6, 21)),
    OpCase("conv_transpose2d", [IMAGE], {"weight": (3, 4, 2, 3)}, {"padding": (1, 4)}, (4, 16, 17)),
    OpCase("conv_transpose2d", [SMALL], {"weight": (4, 3, 4, 4), "bias": (3,)}, UPSAMPLING, (3, 10, 12)),
    OpCase("conv_transpose2d", [SMALL], {"weight": (4, 3, 2, 3), "bias": (6,)}, UNEVEN, (6, 14, 12)),
    OpCase("conv_transpose2d", [SMALL], {"weight": (4, 3, 3, 1)}, {"stride": (1, 3), "padding": (1, 0)}, (3, 5, 16)),
    OpCase("conv_transpose1d", [LINE], {"weight": (4, 3, 3)}, {"stride": (2,), "output_padding": (1,)}, (3, 68)),
    OpCase("conv_transpose1d", [LINE], {"weight": (4, 3, 3)}, UNEVEN_LINE, (6, 35)),
    OpCase("linear", [(10,)], {"weight": (4, 10), "bias": (4,)}, {}, (4,)),
    OpCase("linear", [(7, 37)], {"weight": (12, 37), "bias": (12,)}, {}, (7, 12)),
    OpCase("linear", [(3, 15, 20)], {"weight": (33, 20)}, {}, (3, 15, 33)),
    OpCase("linear", [(2, 3)], {"weight": (5, 3)}, {}, (2, 5)),
    OpCase("matmul", [(7, 19), (19, 40)], {}, {}, (7, 40)),
    OpCase("matmul", [(2, 1, 9, 5), (3, 5, 33)], {}, {}, (2, 3, 9, 33)),
    OpCase("attention", [(2, 19, 8), (2, 35, 8), (2, 35, 5)], {}, {"scale": 0.3}, (2, 19, 5)),
    OpCase("attention", [(2, 17, 16), (17, 16), (2, 17, 40), (17, 17)], {}, {"scale": 0.1}, (2, 17, 40)),
    OpCase("attention", [(9, 4), (11, 4), (11, 4)], {}, {"scale": 0.5, "causal": True}, (9, 4)),
    OpCase("lstm", [(9, 7)], {"weight_ih": (20, 7), "weight_hh": (20, 5)}, {"reverse": True}, (9, 5)),
    OpCase(
        "lstm",
        [(4, 3), (17,), (17,)],
        {"weight_ih": (68, 3), "weight_hh": (68, 17), "bias_ih": (68,), "bias_hh": (68,)},
        {"output": "cell"},
        (4, 17),
    ),
    OpCase("gru", [(9, 7), (5,)], {"weight_ih": (15, 7), "weight_hh": (15, 5)}, {"reverse": True}, (9, 5)),
    OpCase(
        "gru",
        [(4, 3)],
        {"weight_ih": (51, 3), "weight_hh": (51, 17), "bias_ih": (51,), "bias_hh": (51,)},
        {},
        (4, 17),
    ),
    OpCase("batch_norm", [IMAGE], {"running_mean": (3,), "running_var": (3,)}, {"eps": 1e-3}, IMAGE),
    OpCase("batch_norm", [(5,)], {"running_mean": (5,), "running_var": (5,), "weight": (5,), "bias": (5,)}, {}, (5,)),
    OpCase("layer_norm", [(7, 37)], {"weight": (37,), "bias": (37,)}, {"eps": 1e-3}, (7, 37)),
    OpCase("layer_norm", [IMAGE], {}, {"trailing": 2}, IMAGE),
    OpCase("layer_norm", [(5, 19)], {"bias": (19,)}, {}, (5, 19)),
    OpCase("rms_norm", [(7, 37)], {"weight": (37,)}, {"eps": 1e-3}, (7, 37)),
    OpCase("rms_norm", [IMAGE], {}, {"trailing": 3}, IMAGE),
    OpCase("group_norm", [(6, 5, 7)], {"weight": (6,), "bias": (6,)}, {"groups": 2, "eps": 1e-3}, (6, 5, 7)),
    OpCase("group_norm", [IMAGE], {}, {"groups": 3}, IMAGE),
    OpCase("group_norm", [(12,)], {"weight": (12,)}, {"groups": 4}, (12,)),
    OpCase("reduce_mean", [IMAGE], {}, {"axes": (0,)}, (1, 17, 23)),
    OpCase("reduce_mean", [(5, 19)], {}, {"axes": (1,)}, (5, 1)),
    OpCase("reduce_sum", [IMAGE], {}, {"axes": (0, 2)}, (1, 17, 1)),
    OpCase("reduce_max", [IMAGE], {}, {"axes": (1, 2)}, (3, 1, 1)),
    OpCase("reduce_min", [IMAGE], {}, {"axes": (0, 1, 2)}, (1, 1, 1)),
    OpCase("reduce_min", [(5, 19)], {}, {"axes": (0,)}, (1, 19)),
    OpCase("reduce_l2", [IMAGE], {}, {"axes": (0, 2)}, (1, 17, 1)),
    OpCase("relu", [IMAGE], {}, {}, IMAGE),
    OpCase("relu6", [(4,)], {}, {}, (4,)),
    OpCase("leaky_relu", [IMAGE], {}, {"negative_slope": 0.2}, IMAGE),
    OpCase("clamp", [IMAGE], {}, {"low": -1.5, "high": 0.25}, IMAGE),
    OpCase("clamp", [(5,)], {}, {"low": 0.5}, (5,)),
    OpCase("prelu", [IMAGE], {"weight": (3,)}, {}, IMAGE),
    OpCase("prelu", [(5,)], {"weight": (1,)}, {}, (5,)),
    OpCase("sigmoid", [IMAGE], {}, {}, IMAGE),
    OpCase("silu", [IMAGE], {}, {}, IMAGE),
    OpCase("gelu", [IMAGE], {}, {}, IMAGE),
    OpCase("gelu", [IMAGE], {}, {"tanh": True}, IMAGE),
    OpCase("hardsigmoid", [IMAGE], {}, {"alpha": 0.2, "beta": 0.25}, IMAGE),
    OpCase("hardswish", [IMAGE], {}, {}, IMAGE),
    OpCase("tanh", [IMAGE], {}, {}, IMAGE),
    OpCase("elu", [IMAGE], {}, {"alpha": 1.5, "scale": 1.25, "input_scale": 0.5}, IMAGE),
    OpCase("softplus", [IMAGE], {}, {"beta": 2.0, "threshold": 5.0}, IMAGE),
    OpCase("mish", [IMAGE], {}, {}, IMAGE),
    OpCase("affine", [IMAGE], {}, {"scale": -0.5, "shift": 3.0}, IMAGE),
    OpCase("power", [IMAGE], {}, {"exponent": 2.0}, IMAGE),
    OpCase("power", [(5,)], {}, {"exponent": 3.0}, (5,)),
    OpCase("reciprocal", [IMAGE], {}, {}, IMAGE),
    OpCase("sqrt", [IMAGE], {}, {}, IMAGE),
    OpCase("exp", [IMAGE], {}, {}, IMAGE),
    OpCase("log", [IMAGE], {}, {}, IMAGE),
    OpCase("erf", [IMAGE], {}, {}, IMAGE),
    OpCase("abs", [IMAGE], {}, {}, IMAGE),
    OpCase("sin", [IMAGE], {}, {}, IMAGE),
    OpCase("cos", [IMAGE], {}, {}, IMAGE),
    OpCase("floor", [IMAGE], {}, {}, IMAGE),
    OpCase("ceil", [IMAGE], {}, {}, IMAGE),
    OpCase("round", [IMAGE], {}, {}, IMAGE),
    OpCase("max_pool2d", [IMAGE], {}, {"kernel": (3, 3), "stride": (2, 2)}, (3, 8, 11)),
    OpCase("max_pool2d", [IMAGE], {}, {"kernel": (2, 2), "stride": (2, 2), "ceil_mode": True}, (3, 9, 12)),
    OpCase("max_pool2d", [IMAGE], {}, {"kernel": (3, 3), "stride": (1, 1), "dilation": (2, 3)}, (3, 13, 17)),
    OpCase("avg_pool2d", [IMAGE], {}, {"kernel": (2, 4), "stride": (2, 4), "padding": (1, 2)}, (3, 9, 6)),
    OpCase("adaptive_avg_pool2d", [IMAGE], {}, {"output": (7, 5)}, (3, 7, 5)),
    OpCase("adaptive_max_pool2d", [IMAGE], {}, {}, (3, 1, 1)),
    OpCase("max_pool1d", [LINE], {}, {"kernel": (3,), "stride": (2,), "padding": (1,), "dilation": (2,)}, (4, 16)),
    OpCase("max_pool1d", [LINE], {}, {"kernel": (2,), "stride": (2,), "ceil_mode": True}, (4, 17)),
    OpCase("avg_pool1d", [LINE], {}, {"kernel": (4,), "stride": (3,), "ceil_mode": True}, (4, 11)),
    OpCase("avg_pool1d", [LINE], {}, {"kernel": (4,), "stride": (3,), "padding": (2,), **WITHOUT_PAD}, (4, 12)),
    OpCase("adaptive_avg_pool1d", [LINE], {}, {"output": (7,)}, (4, 7)),
    OpCase("adaptive_max_pool1d", [LINE], {}, {"output": (3,)}, (4, 3)),
    OpCase("adaptive_max_pool1d", [LINE], {}, {}, (4, 1)),
    OpCase("resize", [IMAGE], {}, {"output": (34, 46)}, (3, 34, 46)),
    OpCase("resize", [IMAGE], {}, {"output": (9, 40), **HALF_PIXEL, "rounding": "round_prefer_ceil"}, (3, 9, 40)),
    OpCase("resize", [IMAGE], {}, {"output": (51, 11), "mode": "linear", **HALF_PIXEL}, (3, 51, 11)),
    OpCase("resize", [IMAGE], {}, {"output": (1, 30), "mode": "linear", "coordinates": "align_corners"}, (3, 1, 30)),
    OpCase("resize", [IMAGE], {}, {"output": (22, 23), "mode": "cubic", "scale_y": 1.3, "cubic_a": -0.5}, (3, 22, 23)),
    OpCase("resize", [LINE], {}, {"output": (80,), "mode": "linear", "scale_x": 2.44, **HALF_PIXEL}, (4, 80)),
    OpCase("embedding", [(7,)], {"weight": (5, 9)}, {}, (7, 9)),
    OpCase("embedding", [(2, 3)], {"weight": (4, 17)}, {}, (2, 3, 17)),
    OpCase("add", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("add", [IMAGE, (1, 17, 23)], {}, {}, IMAGE),
    OpCase("sub", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("mul", [IMAGE, (1, 17, 23)], {}, {}, IMAGE),
    OpCase("mul", [(1, 17, 23), IMAGE], {}, {}, IMAGE),
    OpCase("div", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("maximum", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("minimum", [(9,), (1,)], {}, {}, (9,)),
    OpCase("pow", [(5, 6), (1, 6)], {}, {}, (5, 6)),
    OpCase("equal", [IMAGE, (1, 17, 23)], {}, {}, IMAGE),
    OpCase("less", [(5, 6), (1, 6)], {}, {}, (5, 6)),
    OpCase("mask", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("concat", [IMAGE, (5, 17, 23), IMAGE], {}, {}, (11, 17, 23)),
    OpCase("concat", [IMAGE, (3, 17, 1)], {}, {"axis": 2}, (3, 17, 24)),
    OpCase("flatten", [IMAGE], {}, {}, (3 * 17 * 23,)),
    OpCase("reshape", [IMAGE], {}, {"shape": (23, 51)}, (23, 51)),
    OpCase("constant", [], {"value": (4, 5)}, {}, (4, 5)),
    OpCase("constant", [], {"value": (1, 9, 1)}, {}, (1, 9, 1)),
    OpCase("constant", [], {"value": ()}, {}, (1,)),
    OpCase("softmax", [(9,)], {}, {"log": True}, (9,)),
    OpCase("slice", [IMAGE], {}, {"axis": 2, "start": 1, "stop": 23, "step": 4}, (3, 17, 6)),
    OpCase("slice", [IMAGE], {}, {"axis": 0, "start": 1, "stop": 3}, (2, 17, 23)),
    OpCase("pad", [IMAGE], {}, {"before": (4, 0, 1), "after": (4, 0, 2)}, (11, 17, 26)),
    OpCase("pad_constant", [IMAGE], {}, {"before": (0, 2, 1), "after": (0, 0, 2), "value": -1.5}, (3, 19, 26)),
    OpCase("permute", [IMAGE], {}, {"axes": (1, 2, 0)}, (17, 23, 3)),
    OpCase("permute", [(5, 1, 19, 4)], {}, {"axes": (3, 1, 0, 2)}, (4, 1, 5, 19)),
    OpCase("permute", [(1, 6, 1)], {}, {"axes": (1, 0, 2)}, (6, 1, 1)),
    OpCase("expand", [(3, 1, 5)], {}, {"shape": (3, 18, 5)}, (3, 18, 5)),
    OpCase("expand", [(3, 1, 1)], {}, {"shape": (3, 4, 5)}, (3, 4, 5)),
    OpCase("take", [IMAGE], {}, {"axis": 1, "indices": (16, 0, 3, 3)}, (3, 4, 23)),
    OpCase("take", [IMAGE], {}, {"axis": 2, "indices": (22, 1, 0)}, (3, 17, 3)),
]


OF_POSITIVE = ("sqrt", "log", "pow")
"""Operators that give NaN for numbers below zero."""
IDS = [case.op for case in CASES]
"""What their tests are called after."""


def network(case: OpCase) -> tuple[Graph, dict[str, Array]]:
    """A graph whose answer is what the operator makes, and its tensors; its inputs are parts of the graph's."""
    rng = np.random.default_rng(0)
    tensors = {role: rng.normal(size=shape).astype(np.float32) for role, shape in case.params.items()}
    if "running_var" in tensors:
        tensors["running_var"] = np.abs(tensors["running_var"]) + np.float32(0.5)
    sizes = [prod(shape) for shape in case.inputs]
    builder = GraphBuilder(case.inputs[0] if len(sizes) == 1 else (sum(sizes) or 1,), case.params)
    inputs = [builder.input] * len(sizes)
    if len(sizes) > 1:
        ends = [0, *accumulate(sizes)]
        cuts = [{"axis": 0, "start": start, "stop": stop} for start, stop in pairwise(ends)]
        flat = [builder.append("slice", [builder.input], attrs=cut) for cut in cuts]
        inputs = [builder.reshape(value, shape) for value, shape in zip(flat, case.inputs, strict=True)]
    if case.op in OF_POSITIVE:
        inputs = [builder.append("abs", [value]) for value in inputs]
    made = builder.append(case.op, inputs, {role: role for role in case.params}, case.attrs)
    return builder.finish(made), tensors


def batch_for(graph: Graph, samples: int) -> Array:
    """Inputs from below zero to above six."""
    x = np.random.default_rng(1).normal(size=(samples, *graph.input_shape)) * 3
    return x.astype(np.float32)
