"""The table of translations from ONNX's operators to calls of torch, and what they share."""

from __future__ import annotations

from collections.abc import Callable

from ..step import OnnxNode, Translate

TRANSLATIONS: dict[str, Translate] = {}
"""By ONNX's operator, of the domain ``ai.onnx``. A translation covers all versions of it."""


def translates(*ops: str) -> Callable[[Translate], Translate]:
    """Register a function as the translation of some operators."""

    def register(function: Translate) -> Translate:
        for op in ops:
            TRANSLATIONS[op] = function
        return function

    return register


def axis_of(n: OnnxNode, rank: int, default: int = 0, name: str = "axis") -> int:
    """The attribute that names an axis, counted from the front."""
    return int(n.attribute(name, default)) % max(rank, 1)
