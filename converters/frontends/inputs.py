"""Inputs as a user asks for them: shapes of one sample, with names and element types where they matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from ...dcformat import ConversionError, Graph, Input, Shape

Sizes: TypeAlias = "Sequence[int | str]"
"""Sizes of one sample, with an element type behind them where it is not float32: ``(3, 32, 32)``, ``(32, "int64")``."""
DTYPES = {"float32": "F32", "int64": "I64"}
"""Element types by their names in PyTorch and NumPy, and in the format."""


@dataclass(frozen=True)
class Asked:
    """An input that the user describes.

    Attributes
    ----------
    shape : tuple of int
        Of one sample.
    dtype : str or None
        ``F32`` or ``I64``; None where the user does not say.
    name : str or None
    """

    shape: Shape
    dtype: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        text = f"{self.name}:" if self.name else ""
        return text + ",".join(map(str, self.shape)) + (":int64" if self.dtype == "I64" else "")


InputShapes: TypeAlias = "Sizes | Sequence[Sizes] | Mapping[str, Sizes] | Sequence[Asked]"
"""Of the one input; of several in the order of forward; of several by name; or checked already."""


def asked_inputs(given: InputShapes) -> tuple[Asked, ...]:
    """The inputs that shapes stand for.

    Parameters
    ----------
    given : InputShapes
        What is a sequence of `Asked` already stays.

    Raises
    ------
    ConversionError
        A size below 1, or an unknown element type.
    """
    if isinstance(given, Mapping):
        return tuple(_asked(sizes, name) for name, sizes in given.items())
    items = list(cast("Sequence[object]", given))
    if items and all(isinstance(item, Asked) for item in items):
        return tuple(cast("list[Asked]", items))
    if items and all(isinstance(item, Iterable) and not isinstance(item, str) for item in items):
        return tuple(_asked(cast(Sizes, item)) for item in items)
    return (_asked(cast(Sizes, items)),)


def parse_input(text: str) -> Asked:
    """One input from text: ``3,32,32``, ``ids:32:int64``, ``32:int64`` or ``image:3,32,32``.

    Raises
    ------
    ConversionError
    """
    name, colon, rest = text.rpartition(":")
    if colon and rest in DTYPES:
        text, dtype = name, [rest]
        name, colon, rest = text.rpartition(":")
    else:
        dtype = []
    sizes = rest.split(",")
    if (colon and not name) or not all(size.isdecimal() for size in sizes):
        raise ConversionError(
            f"not the shape of an input: {text!r}", expected="3,32,32 or NAME:3,32,32 or NAME:32:int64"
        )
    return _asked([*map(int, sizes), *dtype], name or None)


def check_asked(graph: Graph, asked: Sequence[Asked], what: str) -> None:
    """Refuse inputs that are not those of a graph, in shape, or in name where they have one.

    Parameters
    ----------
    graph : Graph
    asked : sequence of Asked
    what : str
        What the graph stands for, in words.

    Raises
    ------
    ConversionError
    """
    names = [given.name for given in graph.inputs]
    by_name = len(asked) == len(names) and all(one.name in names for one in asked)
    ordered = sorted(asked, key=lambda one: names.index(one.name or "")) if by_name else list(asked)
    if [one.shape for one in ordered] != [given.shape for given in graph.inputs]:
        expected = [list(given.shape) for given in graph.inputs]
        found = [list(one.shape) for one in ordered]
        raise ConversionError(
            f"{what} takes another input shape",
            expected=expected[0] if len(expected) == 1 else dict(zip(names, expected, strict=True)),
            found=found[0] if len(found) == 1 else " and ".join(map(str, ordered)),
        )


def as_asked(graph: Graph) -> tuple[Asked, ...]:
    """The inputs of a graph, to ask for the same ones."""
    alone = len(graph.inputs) == 1 and graph.inputs[0].name == Input.name
    return tuple(Asked(given.shape, given.dtype, None if alone else given.name) for given in graph.inputs)


def _asked(sizes: Sizes, name: str | None = None) -> Asked:
    *shape, last = sizes if sizes else [0]
    if isinstance(last, str):
        if last not in DTYPES:
            raise ConversionError("unknown element type of an input", expected=" or ".join(DTYPES), found=repr(last))
        dtype: str | None = DTYPES[last]
    else:
        shape, dtype = [*shape, last], None
    checked = tuple(int(size) for size in shape)
    if not checked or min(checked) < 1:
        hint = None if sizes else "one number a sample has the shape [1]: wrap the network, and read x[:, 0]"
        raise ConversionError("the input shape must be sizes of 1 or more", found=list(sizes), hint=hint)
    return Asked(checked, dtype, name)
