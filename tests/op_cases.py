"""Cases of every operator, for the tests that all operators have in common: shape, meaning, torch, runtime.

A new operator gets its rows in `CASES`; a test asks for one at least.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from dcz.dcformat import Graph, GraphBuilder, Shape
from dcz.dcformat.tensors import Array

IMAGE = (3, 17, 23)


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
    OpCase("linear", [(10,)], {"weight": (4, 10), "bias": (4,)}, {}, (4,)),
    OpCase("batch_norm", [IMAGE], {"running_mean": (3,), "running_var": (3,)}, {"eps": 1e-3}, IMAGE),
    OpCase("batch_norm", [(5,)], {"running_mean": (5,), "running_var": (5,), "weight": (5,), "bias": (5,)}, {}, (5,)),
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
    OpCase("max_pool2d", [IMAGE], {}, {"kernel": (3, 3), "stride": (2, 2)}, (3, 8, 11)),
    OpCase("max_pool2d", [IMAGE], {}, {"kernel": (2, 2), "stride": (2, 2), "ceil_mode": True}, (3, 9, 12)),
    OpCase("max_pool2d", [IMAGE], {}, {"kernel": (3, 3), "stride": (1, 1), "dilation": (2, 3)}, (3, 13, 17)),
    OpCase("avg_pool2d", [IMAGE], {}, {"kernel": (2, 4), "stride": (2, 4), "padding": (1, 2)}, (3, 9, 6)),
    OpCase("adaptive_avg_pool2d", [IMAGE], {}, {"output": (7, 5)}, (3, 7, 5)),
    OpCase("adaptive_max_pool2d", [IMAGE], {}, {}, (3, 1, 1)),
    OpCase("add", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("add", [IMAGE, (1, 17, 23)], {}, {}, IMAGE),
    OpCase("sub", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("mul", [IMAGE, (1, 17, 23)], {}, {}, IMAGE),
    OpCase("mul", [(1, 17, 23), IMAGE], {}, {}, IMAGE),
    OpCase("div", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("maximum", [IMAGE, IMAGE], {}, {}, IMAGE),
    OpCase("minimum", [(9,), (1,)], {}, {}, (9,)),
    OpCase("pow", [(5, 6), (1, 6)], {}, {}, (5, 6)),
    OpCase("concat", [IMAGE, (5, 17, 23), IMAGE], {}, {}, (11, 17, 23)),
    OpCase("concat", [IMAGE, (3, 17, 1)], {}, {"axis": 2}, (3, 17, 24)),
    OpCase("flatten", [IMAGE], {}, {}, (3 * 17 * 23,)),
    OpCase("reshape", [IMAGE], {}, {"shape": (23, 51)}, (23, 51)),
    OpCase("constant", [], {"value": (4, 5)}, {}, (4, 5)),
    OpCase("constant", [], {"value": ()}, {}, (1,)),
    OpCase("softmax", [(9,)], {}, {"log": True}, (9,)),
    OpCase("slice", [IMAGE], {}, {"axis": 2, "start": 1, "stop": 23, "step": 4}, (3, 17, 6)),
    OpCase("pad", [IMAGE], {}, {"before": (4, 0, 1), "after": (4, 0, 2)}, (11, 17, 26)),
]


OF_POSITIVE = ("sqrt", "log", "pow")
"""Operators that give NaN for numbers below zero."""
IDS = [case.op for case in CASES]
"""What their tests are called after."""


def network(case: OpCase) -> tuple[Graph, dict[str, Array]]:
    """A graph whose answer is what the operator makes, and its tensors; several inputs are slices of the graph's."""
    rng = np.random.default_rng(0)
    tensors = {role: rng.normal(size=shape).astype(np.float32) for role, shape in case.params.items()}
    if "running_var" in tensors:
        tensors["running_var"] = np.abs(tensors["running_var"]) + np.float32(0.5)
    axis, first = case.attrs.get("axis", 0) if len(case.inputs) > 1 else 0, (case.inputs or [(1,)])[0]
    ends = [0, *accumulate(shape[axis] for shape in case.inputs or [first])]
    builder = GraphBuilder((*first[:axis], ends[-1], *first[axis + 1 :]), case.params)
    inputs = [builder.input] * len(case.inputs)
    if len(case.inputs) > 1:
        cuts = [{"axis": axis, "start": start, "stop": stop} for start, stop in pairwise(ends)]
        inputs = [builder.append("slice", [builder.input], attrs=cut) for cut in cuts]
    if case.op in OF_POSITIVE:
        inputs = [builder.append("abs", [value]) for value in inputs]
    made = builder.append(case.op, inputs, {role: role for role in case.params}, case.attrs)
    return builder.finish(made), tensors


def batch_for(graph: Graph, samples: int) -> Array:
    """Inputs from below zero to above six."""
    x = np.random.default_rng(1).normal(size=(samples, *graph.input_shape)) * 3
    return x.astype(np.float32)
