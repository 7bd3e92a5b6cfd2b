"""The operator set: what each op takes, its attributes with their defaults, the shape that it makes, what it means.

One file a family, one table of all. The writer leaves defaults out of the manifest by it, the reader lets nothing else
in, front ends lower to it, the planner runs through it, and tests compare kernels with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import activation, arithmetic, conv, embedding, linear, matmul, movement, norm, pool, recurrent, reduce, resize
from .spec import OpSpec

FAMILIES: tuple[Mapping[str, OpSpec], ...] = (
    conv.OPS,
    linear.OPS,
    embedding.OPS,
    matmul.OPS,
    norm.OPS,
    activation.OPS,
    pool.OPS,
    resize.OPS,
    arithmetic.OPS,
    movement.OPS,
    reduce.OPS,
    recurrent.OPS,
)
OPS: Mapping[str, OpSpec] = {name: spec for family in FAMILIES for name, spec in family.items()}
"""All operators, by name. The set is closed: a file must mean the same everywhere."""

FILTERED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*conv.OPS, *linear.OPS), ("weight",)),
    **dict.fromkeys(recurrent.OPS, recurrent.PARAMS),
}
"""Roles of the tensors that operators multiply with their inputs or states: what compression prunes and shares."""
