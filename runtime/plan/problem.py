"""Ways to compute a layer: the problem that a kernel is sought for, and the rows of the tables of kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from ...dcformat.tensors import Tensor
from ..kernels.contract import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from .costs import Costs
from .target import Target

Geometry = TypeVar("Geometry", ConvGeometry, LinearGeometry)
Shape = TypeVar("Shape")


class Choice(NamedTuple):
    """A way to compute a layer."""

    cycles: float
    """An estimate."""
    kernel: str
    tiling: str
    pack: Callable[[], PackedLayer]
    """Packs the weights."""

    @property
    def name(self) -> str:
        """Tells the choices of a layer apart."""
        return f"{self.kernel} {self.tiling}".rstrip()


@dataclass(frozen=True)
class Problem(Generic[Geometry]):
    """A layer that a kernel is sought for."""

    weight: Tensor
    geometry: Geometry
    epilogue: Epilogue
    target: Target


@dataclass(frozen=True)
class Row(Generic[Geometry, Shape]):
    """A kernel that may be chosen.

    Attributes
    ----------
    name : str
        The packed layer's `kernel_name`.
    tilings : callable
        ``tilings(problem)``: the ways to cut a layer that are worth an estimate; none where the kernel cannot take it.
    cycles : callable
        ``cycles(costs, tiling, weight)``: an estimate.
    pack : callable
        ``pack(weight, tiling, epilogue)``.
    label : callable
        ``label(tiling)``: tells the tilings apart.
    most : int, optional
        How many of them may be chosen.
    """

    name: str
    tilings: Callable[[Problem[Geometry]], Iterable[Shape]]
    cycles: Callable[[Costs, Shape, Tensor], float]
    pack: Callable[[Tensor, Shape, Epilogue], PackedLayer]
    label: Callable[[Shape], str] = lambda tiling: ""
    most: int | None = None

    def choices(self, problem: Problem[Geometry]) -> list[Choice]:
        """The choices of this kernel, the one estimated to be fastest first."""
        weight = problem.weight
        estimates = [(self.cycles(problem.target.costs, t, weight), t) for t in self.tilings(problem)]
        return [
            Choice(cycles, self.name, self.label(tiling), partial(self.pack, weight, tiling, problem.epilogue))
            for cycles, tiling in sorted(estimates, key=itemgetter(0))[: self.most]
        ]
