"""What a plan is made of: layers with their kernels chosen and their weights packed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from ...core.jit import make_ready
from ...dcformat import Shape
from ..execute.threads import Team
from ..jit import ready
from ..kernels.contract import F32, Call
from .fold import Decode
from .fuse import Layer
from .memory import Use
from .tuning import Tuning

Bind = Callable[[list[F32], F32, F32], list[Call]]
"""``bind(inputs, output, scratch)``: arrays of shape (samples, ..., lanes) in the arena, to calls ready to run.

Either the samples lie one after the other, and there is one lane, or 16 lie side by side, as the lanes of a vector.
"""


@dataclass(frozen=True)
class Step:
    """A layer with its kernel chosen and its weights packed, not yet bound to memory.

    Attributes
    ----------
    op : str
        The operator that does the main work.
    kernel : str
        Name of the kernel, for tables.
    use : Use
        The values that it reads and makes, and how they may share memory.
    bind : Bind
    weight_bytes : int
        Memory that its packed weights take.
    weight : str
        Name of its weight tensor; empty where it has none.
    """

    op: str
    kernel: str
    use: Use
    bind: Bind
    weight_bytes: int = 0
    weight: str = ""


@dataclass(frozen=True)
class Context:
    """What a builder knows besides its layer."""

    batch: int
    lanes: int
    shapes: list[Shape]
    decode: Decode
    team: Team
    tuning: Tuning | None

    @property
    def samples(self) -> int:
        """Samples, or vectors of samples, that lie one after the other."""
        return self.batch // self.lanes


Builder = Callable[[Layer, Context], Step]
"""Chooses a layer's kernel, packs its weights, and says how to bind it."""


def pair(value: object) -> tuple[int, int]:
    """An attribute that is a pair of integers."""
    return cast(tuple[int, int], value)


def shared(team: Team, parts: list[list[Call]], whole: list[Call]) -> list[Call]:
    """What runs a layer with helpers: its parts, but for those without work, or the whole for a caller alone."""
    busy = [calls for calls in parts if calls]
    if len(busy) < 2:
        return whole
    make_ready(call for calls in (*busy, whole) for call in calls)
    return [(team.run, ([[*map(ready, calls)] for calls in busy], [*map(ready, whole)]))]


def transfers(copies: list[tuple[F32, F32]]) -> list[Call]:
    """Copies (to, from), but for data that was made in its place."""
    return [(np.copyto, copy) for copy in copies if copy[0].ctypes.data != copy[1].ctypes.data]


def view(layer: Layer) -> Step:
    """The step of a layer that gives its input another shape."""

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return transfers([(out, inputs[0].reshape(out.shape))])

    return Step(layer.node.op, "view", Use(layer.inputs, layer.output, view=True), bind)
