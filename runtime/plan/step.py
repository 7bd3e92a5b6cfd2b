"""`Step`, the element of a plan: a layer with its kernel chosen and its weights packed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from ...dcformat import Shape
from ..kernels.contract import F32, Call
from ..kernels.copy import copy
from ..program import Bound, Parallel
from ..threads.team import Team
from .fold import Decode
from .fuse import Layer
from .integers import Integers
from .margins import Margin
from .memory import Use
from .target import HOST, Target

if TYPE_CHECKING:
    from .tuning import Tuning

Bind = Callable[[list[F32], F32, F32], Sequence[Bound]]
"""``bind(inputs, output, scratch)`` turns arrays of shape (samples, ..., lanes) in the arena into calls of kernels.

Either samples are contiguous and there is one lane, or 16 samples are interleaved as vector lanes.
"""


@dataclass(frozen=True)
class Step:
    """A layer with its kernel chosen and its weights packed, not yet bound to memory.

    Attributes
    ----------
    op : str
        The main operator.
    kernel : str
        Name of the kernel, for tables.
    use : Use
        The values that it reads and computes, and how they may share memory.
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
    """Context of a builder, besides its layer.

    `nonnegative` are the values that are never negative, and `margins` belong to values that are held without them.
    """

    batch: int
    lanes: int
    shapes: list[Shape]
    decode: Decode
    team: Team
    tuning: Tuning | None
    target: Target = HOST
    integers: Integers | None = None
    nonnegative: frozenset[int] = frozenset()
    margins: Mapping[int, Margin] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number of samples, or of groups of 16."""
        return self.batch // self.lanes

    def parts(self, work: int, least: int) -> int:
        """In how many parts threads share a layer, given its work a sample, and the least work that is shared."""
        return self.team.threads if self.samples == 1 and work * self.lanes >= least else 1


Builder = Callable[[Layer, Context], Step]
"""Chooses a layer's kernel, packs its weights, and says how to bind it."""


def pair(value: object) -> tuple[int, int]:
    """Read an attribute that is a pair of integers."""
    return cast(tuple[int, int], value)


def dense(name: str, context: Context) -> F32:
    """A tensor, dense and C-contiguous."""
    return np.ascontiguousarray(context.decode(name).float32().dense())


def shared(parts: list[list[Call]], whole: list[Call]) -> Sequence[Bound]:
    """A layer's work for several threads: its parts, without empty ones, and the whole for one."""
    busy = [calls for calls in parts if calls]
    return whole if len(busy) < 2 else [Parallel(busy, whole)]


def transfers(copies: list[tuple[F32, F32]]) -> list[Call]:
    """Calls that copy pairs (to, from), without pairs that share memory already."""
    return [copy(*pair) for pair in copies if pair[0].ctypes.data != pair[1].ctypes.data]


def view(layer: Layer) -> Step:
    """The step of a layer that gives its input another shape."""

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return transfers([(out, inputs[0].reshape(out.shape))])

    return Step(layer.node.op, "view", Use(layer.inputs, layer.output, view=True), bind)
