"""Steps by family of operators: each builder turns a layer into a `Step`.

To add an operator, write a builder in the file of its family, and its row in that file's `STEPS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..step import Builder
from . import elementwise, movement, pool, resize, weighted

STEPS: Mapping[str, Builder] = {
    **weighted.STEPS,
    **elementwise.STEPS,
    **pool.STEPS,
    **resize.STEPS,
    **movement.STEPS,
}
"""A builder for each operator."""

ONE_LANE: frozenset[str] = frozenset()
"""Operators whose steps need the samples one behind the other. A plan with one of them interleaves none."""
