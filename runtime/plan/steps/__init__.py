"""Steps by family of operators: each builder turns a layer into a `Step`.

To add an operator, write a builder in the file of its family, and its row in that file's `STEPS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..fuse import Layer
from ..step import Builder, Context, Step
from . import elementwise, embedding, integer, matmul, movement, norm, pool, recurrent, resize, weighted

FAMILIES = (weighted, matmul, recurrent, elementwise, embedding, norm, pool, resize, movement)
STEPS: Mapping[str, Builder] = {op: build for family in FAMILIES for op, build in family.STEPS.items()}
"""A builder for each operator."""

ONE_LANE: frozenset[str] = frozenset({*matmul.STEPS, *recurrent.STEPS})
"""Operators whose steps need the samples one behind the other. A plan with one of them interleaves none."""


def build(layer: Layer, context: Context) -> Step:
    """The step of a layer."""
    return STEPS[layer.node.op](layer, context) if context.integers is None else integer.build(layer, context, STEPS)
