"""The inputs of an ONNX graph: what the file says of their sizes, and what the user does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from onnx import GraphProto, ValueInfoProto

from ....core.errors import quoted
from ....dcformat import ConversionError, Shape
from ..inputs import Asked
from .operators.arithmetic import TYPES

LIKELY = 224
"""An example of an open size, for messages."""


@dataclass(frozen=True)
class Given:
    """An input of a graph, with all sizes fixed but for the batch.

    Attributes
    ----------
    name : str
    batch : int or None
        None where the file leaves it open.
    shape : tuple of int
        Of one sample.
    dtype : torch.dtype
    """

    name: str
    batch: int | None
    shape: Shape
    dtype: torch.dtype

    def example(self, batch: int) -> torch.Tensor:
        """Zeros in the place of a batch."""
        return torch.zeros((batch, *self.shape), dtype=self.dtype)


def given_inputs(graph: GraphProto, constants: Collection[str], asked: Sequence[Asked] | None) -> list[Given]:
    """The inputs of a graph, without those that are constants.

    Parameters
    ----------
    graph : GraphProto
    constants : collection of str
        Names of its constants: older files list them among the inputs.
    asked : sequence of Asked, optional
        Shapes by the user, by name or in order. Others are the file's.

    Raises
    ------
    ConversionError
        Sizes are open, or asked otherwise; or the user names another input.
    """
    values = [value for value in graph.input if value.name not in constants]
    if not values:
        raise ConversionError("the graph has no input tensor", expected="1 or more", found="none")
    names, wanted = [value.name for value in values], list(asked or [])
    by_name = {one.name or name: one for one, name in zip(wanted, names, strict=False)}
    if len(by_name) < len(wanted) or not by_name.keys() <= set(names):
        what, found = "the file has other inputs", " and ".join(map(str, wanted))
        raise ConversionError(what, expected=f"shapes for {quoted(names)}", found=found)
    return [_given(value, by_name.get(value.name), len(values) > 1) for value in values]


def _given(value: ValueInfoProto, asked: Asked | None, several: bool) -> Given:
    kind = value.type.tensor_type
    if kind.elem_type not in TYPES or not kind.HasField("shape"):
        raise ConversionError(f"input {value.name!r} is no tensor of numbers with a known rank")
    if not kind.shape.dim:
        hint = "make it an initializer: a branch that depends on it is then taken at conversion"
        raise ConversionError(f"input {value.name!r} is one number for the whole batch", expected="a batch", hint=hint)
    batch, *sizes = [dim.dim_value if dim.dim_value > 0 else None for dim in kind.shape.dim]
    names = [dim.dim_param or "?" for dim in kind.shape.dim][1:]
    stated = ", ".join(str(size or name) for size, name in zip(sizes, names, strict=True))
    if asked is None:
        fixed = tuple(size for size in sizes if size is not None)
        if len(fixed) < len(sizes) or not sizes:
            example = ",".join(str(size or LIKELY) for size in sizes or [None])
            shape = f"{value.name}:{example}" if several else example
            hint = f"give the shape of one sample: --input-shape {shape}, say"
            raise ConversionError(
                f"the file leaves sizes of the input {value.name!r} open", found=f"[{stated}]", hint=hint
            )
        return Given(value.name, batch, fixed, TYPES[kind.elem_type])
    fits = len(asked.shape) == len(sizes)
    if not fits or any(size not in (None, want) for size, want in zip(sizes, asked.shape, strict=True)):
        what = f"the input {value.name!r} has another shape"
        raise ConversionError(what, expected=f"[{stated}]", found=list(asked.shape))
    return Given(value.name, batch, asked.shape, TYPES[kind.elem_type])
