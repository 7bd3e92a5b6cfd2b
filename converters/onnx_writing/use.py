"""One of our nodes as the writers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...dcformat import Node, Shape, UnsupportedOpError
from .builder import OnnxBuilder


@dataclass(frozen=True)
class Use:
    """One node of ours, as a writer sees it.

    Attributes
    ----------
    index : int
        Number of the node.
    node : Node
    inputs : list of str
        Names of the values that it reads, in the model.
    params : mapping of str to str
        Names of its tensors by role, in the model.
    param_shapes : mapping of str to tuple of int
        Shapes of its tensors by role.
    input_shapes : list of tuple of int
    shape : tuple of int
        Of what it makes.
    """

    index: int
    node: Node
    inputs: list[str]
    params: Mapping[str, str]
    param_shapes: Mapping[str, Shape]
    input_shapes: list[Shape]
    shape: Shape

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the node."""
        return self.node.attrs

    def optional(self, *roles: str) -> list[str]:
        """Names of tensors for the last inputs of an operator: "" for one that is not given, none behind the last."""
        names = [self.params.get(role, "") for role in roles]
        while names and not names[-1]:
            names.pop()
        return names

    def refusal(self, why: str) -> UnsupportedOpError:
        """The error that refuses the node."""
        return UnsupportedOpError(self.node.op, node=str(self.index), why=why, shape=self.shape)


Writer = Callable[[OnnxBuilder, Use], str]


def aligned(b: OnnxBuilder, u: Use) -> list[str]:
    """Inputs of as many axes each, new ones behind the batch: ONNX would put them before it."""
    rank = max(map(len, u.input_shapes))
    return [
        b.add("Unsqueeze", [x, b.ints(*range(1, 1 + rank - len(shape)))]) if len(shape) < rank else x
        for x, shape in zip(u.inputs, u.input_shapes, strict=True)
    ]


def broadcast(op: str) -> Writer:
    """The writer of an operator whose inputs are brought to one shape within a sample."""
    return lambda b, u: b.add(op, aligned(b, u))


def plain(op: str, **attributes: Any) -> Writer:
    """The writer of an operator that ONNX has as it is."""
    return lambda b, u: b.add(op, u.inputs, **attributes)
