"""The table of lowerings, what a call of torch's for one of our operators is, and what both share."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor, fx

from ..fx_builder import FxBuilder

Args = Mapping[str, Any]
Lower = Callable[[FxBuilder, Args], Any]
Call = Callable[[list[Tensor], Mapping[str, Tensor], Mapping[str, Any]], Tensor]
"""``call(inputs, params, attrs)``: one of our operators by torch; axes in `attrs` do not count the batch."""
AnyLower = TypeVar("AnyLower", bound=Lower)

LOWERINGS: dict[Any, Lower] = {}
"""By aten operator. A lowering gives the `Value` that the node makes, a list of them, or None for one that nothing
may read."""


ANY_PLACE: set[Any] = {operator.getitem}
"""Aten operators, beside those that go element by element, whose inputs may have the batch anywhere: see `place`."""


def lowers(*targets: Any, any_place: bool = False) -> Callable[[AnyLower], AnyLower]:
    """Register a function as the lowering of some aten operators.

    Parameters
    ----------
    *targets : OpOverload
    any_place : bool
        Whether it asks the builder for shapes and axes of a sample, and so need not find the batch as the first axis.
    """

    def register(function: AnyLower) -> AnyLower:
        for target in targets:
            LOWERINGS[target] = function
        if any_place:
            ANY_PLACE.update(targets)
        return function

    return register


def bind(node: fx.Node) -> dict[str, Any]:
    """Arguments of a node by name, defaults filled in from the operator's schema."""
    bound = {}
    for i, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if i < len(node.args):
            bound[argument.name] = node.args[i]
        else:
            bound[argument.name] = node.kwargs.get(argument.name, argument.default_value)
    return bound


def per_axis(value: Sequence[int] | int, axes: int) -> tuple[int, ...]:
    """The numbers of an argument that may be one for all axes."""
    numbers = (value,) if isinstance(value, int) else tuple(value)
    return numbers * axes if len(numbers) == 1 else numbers


def params(g: FxBuilder, a: Args, *roles: str) -> dict[str, str | None]:
    """Names of the tensors that arguments stand for, by role; None for one that is left out."""
    return {role: g.param(a[role], role) for role in roles}
