"""Search for the state dict in a checkpoint of nested dictionaries, as training scripts write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from ....dcformat import ConversionError
from .checkpoint import WAY_OUT

USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights", "ema")
"""Usual keys of a state dict in files of training scripts, which may keep other tensors beside it."""
DEPTH = 6
"""Greatest depth of nested dictionaries that is searched; it also ends the search in recursive ones."""
ROOT = "."
"""Name of the outermost dictionary in messages and for ``--key``."""

Table: TypeAlias = Mapping[Any, Any]
Place: TypeAlias = tuple[Any, ...]
"""The keys that lead to a dictionary."""


@dataclass
class StateDict:
    """The state dict of a checkpoint, and its surroundings.

    Attributes
    ----------
    tensors : dict of str to torch.Tensor
        In the checkpoint's order.
    beside : list
        Keys of other values: epochs, options, the state of an optimizer.
    inside : dict of str to int
        Count of numbers in tensors that lie inside tuples, lists and dictionaries among `tensors`, by key.
    quantized : bool
        Whether some of those tensors are quantized.
    """

    tensors: dict[str, torch.Tensor]
    beside: list[Any]
    inside: dict[str, int]
    quantized: bool


def find_state_dict(loaded: Any, key: str | None = None) -> StateDict:
    """Find the state dict in an object from ``torch.load``.

    Parameters
    ----------
    loaded : object
    key : str, optional
        Path to a dictionary, its keys joined by dots; or the first part of its tensors' names, before a dot. By default
        the one dictionary that may be a network's.

    Raises
    ------
    ConversionError
        There is no state dict, or more than one, or `key` leads to none.
    """
    if not isinstance(loaded, Mapping):
        raise ConversionError("not a state dict", expected="a dictionary of tensors", found=type(loaded).__name__)
    tables = dict(_walk(loaded))
    start = next((place for place in tables if _name(place) == (ROOT if key is None else key)), None)
    below = {place: table for place, table in tables.items() if start is None or place[: len(start)] == start}
    candidates = _candidates(below)
    if key is not None and start in candidates:
        candidates = [start]
    if not candidates or (len(candidates) > 1 and start is None):
        raise _without_tensors(tables, key)
    if len(candidates) > 1:
        names = ", ".join(repr(_name(place)) for place in candidates)
        hint = "pick one with --key (key=), or save it alone"
        raise ConversionError(f"several dictionaries may be the state dict: {names}", hint=hint)
    (place,) = candidates
    state = _state_dict(tables[place], "" if start is not None else f"{key}.")
    if not state.tensors:
        raise _without_tensors(tables, key)
    state.beside[:0] = _around(loaded, place)
    return state


def _walk(table: Table, place: Place = ()) -> Iterator[tuple[Place, Table]]:
    """A dictionary and those nested in it, without the state of optimizers."""
    yield place, table
    if len(place) < DEPTH:
        for key, value in table.items():
            if isinstance(value, Mapping) and not _is_optimizer(value):
                yield from _walk(value, (*place, key))


def _candidates(tables: Mapping[Place, Table]) -> list[Place]:
    """Paths of possible state dicts: dictionaries with tensors of two axes or more; if there are none, of most axes.

    An outer dictionary, or an inner one under a usual key, replaces a dictionary if it is as large.
    """
    tensors = {place: _tensors(table) for place, table in tables.items() if _tensors(table)}
    axes = {place: max(min(tensor.ndim, 2) for tensor in found) for place, found in tensors.items()}
    found = [place for place in tensors if axes[place] == max(axes.values())]
    sizes = {place: _size(tensors[place]) for place in found}
    return [place for place in found if not any(_gives_way(place, other, sizes) for other in found)]


def _gives_way(place: Place, other: Place, sizes: Mapping[Place, int]) -> bool:
    outer, inner = sorted((place, other), key=len)
    if place == other or inner[: len(outer)] != outer or sizes[place] > sizes[other]:
        return False
    return place == (outer if inner[len(outer)] in USUAL else inner)


def _state_dict(table: Table, prefix: str) -> StateDict:
    state = StateDict({}, [], {}, quantized=False)
    for name, value in table.items():
        if isinstance(value, torch.Tensor) and not isinstance(name, str):
            raise ConversionError("a tensor's name must be text", expected="str", found=repr(name))
        tensors = [] if _is_optimizer(value) else list(_inner_tensors(value))
        if not str(name).startswith(prefix):
            state.beside.append(name)
        elif isinstance(value, torch.Tensor):
            state.tensors[name] = value
        elif _size(tensors):
            state.inside[str(name)] = _size(tensors)
            state.quantized |= any(tensor.is_quantized for tensor in tensors)
        else:
            state.beside.append(name)
    return state


def _around(loaded: Table, place: Place) -> list[Any]:
    """Keys that are not on the path to a dictionary."""
    keys: list[Any] = []
    for key in place:
        keys += (other for other in loaded if other != key)
        loaded = loaded[key]
    return keys


def _tensors(table: Table) -> list[torch.Tensor]:
    return [value for value in table.values() if isinstance(value, torch.Tensor)]


def _inner_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested tuples, lists and dictionaries, once."""
    waiting, seen = [value], set[int]()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, torch.Tensor):
            yield item
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple | set):
            waiting += item


def _size(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _is_optimizer(value: Any) -> bool:
    """Whether a value is a result of ``optimizer.state_dict()``: it holds moments, no weights."""
    return isinstance(value, Mapping) and {"state", "param_groups"} <= set(value)


def _name(place: Place) -> str:
    return ".".join(map(str, place)) or ROOT


def _without_tensors(tables: Mapping[Place, Table], key: str | None) -> ConversionError:
    if candidates := _candidates(tables):
        names = " or ".join(repr(_name(place)) for place in candidates)
        return ConversionError(f"there are no tensors under the key {key!r}", expected=names)
    if list(_inner_tensors(tables[()])):
        what = "the checkpoint's tensors have no names: they lie in lists, or are an optimizer's"
    else:
        what = "the checkpoint holds no tensors"
    return ConversionError(what, hint=WAY_OUT)
