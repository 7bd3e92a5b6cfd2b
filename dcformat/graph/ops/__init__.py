"""The operator set: what each op takes, its attributes with their defaults, the shape that it makes, what it means.

One file a family, one table of all. The writer leaves defaults out of the manifest by it, the reader lets nothing else
in, front ends lower to it, the planner runs through it, and tests compare kernels with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import activation, arithmetic, conv, linear, movement, norm, pool, reduce, resize
from .spec import OpSpec

FAMILIES: tuple[Mapping[str, OpSpec], ...] = (
    conv.OPS,
    linear.OPS,
    norm.OPS,
    activation.OPS,
    pool.OPS,
    resize.OPS,
    arithmetic.OPS,
    movement.OPS,
    reduce.OPS,
)
OPS: Mapping[str, OpSpec] = {name: spec for family in FAMILIES for name, spec in family.items()}
"""All operators, by name. The set is closed: a file must mean the same everywhere."""

FILTERED: frozenset[str] = frozenset({*conv.OPS, *linear.OPS})
"""Operators whose tensor ``weight`` is multiplied with their input: what compression prunes and shares."""
