"""Which of a checkpoint's dictionaries is the state dict: training scripts put it beside, and inside, others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from ....dcformat import ConversionError
from .checkpoint import WAY_OUT

USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights", "ema")
"""Keys under which training scripts keep a state dict, whatever tensors of their own they keep beside it."""
DEPTH = 6
"""Dictionaries in dictionaries that are looked into: a bound for those that hold themselves, too."""
ROOT = "."
"""What messages and ``--key`` call the outermost dictionary."""

Table: TypeAlias = Mapping[Any, Any]
Place: TypeAlias = tuple[Any, ...]
"""The keys that lead to a dictionary."""


@dataclass
class StateDict:
    """The state dict of a checkpoint, and what lies around it.

    Attributes
    ----------
    tensors : dict of str to torch.Tensor
        In the checkpoint's order.
    beside : list
        Keys of what holds none of the network's tensors: epochs, options, the state of an optimizer.
    inside : dict of str to int
        How many numbers the tensors hold that lie in tuples, lists and dictionaries among `tensors`, by key.
    quantized : bool
        Whether torch quantized some of those inside.
    """

    tensors: dict[str, torch.Tensor]
    beside: list[Any]
    inside: dict[str, int]
    quantized: bool


def find_state_dict(loaded: Any, key: str | None = None) -> StateDict:
    """Find the state dict in what ``torch.load`` gives.

    Parameters
    ----------
    loaded : object
    key : str, optional
        The keys that lead to a dictionary, joined by dots, or what its tensors' names begin with before a dot. By
        default it is the one dictionary that may be a network's.

    Raises
    ------
    ConversionError
        There is none, or more than one, or `key` leads to none.
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
    """A dictionary and those that lie in it, but for what belongs to an optimizer."""
    yield place, table
    if len(place) < DEPTH:
        for key, value in table.items():
            if isinstance(value, Mapping) and not _is_optimizer(value):
                yield from _walk(value, (*place, key))


def _candidates(tables: Mapping[Place, Table]) -> list[Place]:
    """Where the state dict may be: the dictionaries with tensors of two axes or more, or of as many as there are.

    A dictionary gives way to one around it, or to a usual one in it, if that is as large.
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
    """Keys beside those that lead to a place."""
    keys: list[Any] = []
    for key in place:
        keys += (other for other in loaded if other != key)
        loaded = loaded[key]
    return keys


def _tensors(table: Table) -> list[torch.Tensor]:
    return [value for value in table.values() if isinstance(value, torch.Tensor)]


def _inner_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in tuples, lists and dictionaries of any depth, once."""
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
    """Whether a value is what ``optimizer.state_dict()`` gives: no weights, but their moments."""
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
