"""Which argument of a module's forward each input is."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import nn

from ....core.errors import quoted
from ....dcformat import ConversionError
from ..inputs import Asked

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def in_order(module: nn.Module, asked: Sequence[Asked]) -> tuple[Asked, ...]:
    """The inputs in the order of forward's arguments: first those without a name.

    Raises
    ------
    ConversionError
        As `bound`.
    """
    places = list(inspect.signature(module.forward).parameters)
    names = bound(module, asked)

    def place(number: int) -> tuple[bool, int]:
        name = names[number]
        return asked[number].name is not None, places.index(name) if name in places else len(places)

    return tuple(asked[number] for number in sorted(range(len(asked)), key=place))


def bound(module: nn.Module, asked: Sequence[Asked]) -> list[str]:
    """The name of forward's argument for each input. Inputs without a name are its first arguments.

    Raises
    ------
    ConversionError
        Forward takes other arguments, or needs more.
    """
    if type(module).forward is nn.Module.forward and "forward" not in vars(module):
        raise ConversionError("the network has no forward", found=type(module).__name__)
    parameters = inspect.signature(module.forward).parameters
    kinds = [p.kind for p in parameters.values()]
    by_position = [name for name, p in parameters.items() if p.kind in _BY_POSITION]
    unnamed = [one for one in asked if one.name is None]
    first = by_position[: len(unnamed)]
    if len(first) < len(unnamed) and inspect.Parameter.VAR_POSITIONAL in kinds:
        first += [f"input_{number}" for number in range(len(first), len(unnamed))]
    names = iter(first)
    found = [one.name if one.name is not None else next(names, "") for one in asked]
    needed = [name for name, p in parameters.items() if p.default is p.empty and p.kind not in _OPEN]
    closed = inspect.Parameter.VAR_KEYWORD not in kinds
    unknown = [name for name in found if name not in (*parameters, *first) and closed]
    if unknown or len(set(found)) != len(found) or not set(needed) <= set(found):
        raise _misfit(list(parameters), needed, asked)
    return found


def _misfit(parameters: list[str], needed: list[str], asked: Sequence[Asked]) -> ConversionError:
    shapes = " ".join(f"--input-shape {name}:{','.join(map(str, asked[0].shape))}" for name in needed or parameters)
    return ConversionError(
        f"the network's forward takes {quoted(parameters) if parameters else 'no input'}",
        expected=f"a shape for each of {quoted(needed)}" if needed else None,
        found=" and ".join(map(str, asked)),
        hint=f"describe its input tensors by name: {shapes}" if parameters else None,
    )
