"""Where the batch lies in a captured tensor.

Values of our graph are those of one sample, and the batch is before all of them. A captured network may move the batch
axis, ``(T, N, E)``, and fold axes of the sample into it, ``(N * windows, ...)``: each tensor has a `Place`. The
elements of a sample have the same order in both.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch

from ....dcformat import Shape

SOME_BATCH = 1009
"""A batch for which sizes are computed where they depend on the batch: a prime that sizes rarely have as a factor."""


def size_of(size: int | torch.SymInt) -> int:
    """A size, which may depend on the batch: then that for `SOME_BATCH`."""
    if isinstance(size, int):
        return size
    expression = size.node.expr
    return int(expression.subs(dict.fromkeys(expression.free_symbols, SOME_BATCH)))


class Place(NamedTuple):
    """The batch's place in a tensor: an axis of ``outer * N * inner`` elements, row-major.

    Attributes
    ----------
    axis : int
        Of the tensor.
    outer, inner : int
        Elements of the sample that are folded into that axis, before the batch and behind it.
    """

    axis: int
    outer: int = 1
    inner: int = 1

    def sample(self, sizes: Shape) -> Shape:
        """The shape of a sample in a tensor of these sizes: folded elements have axes of their own."""
        return (*sizes[: self.axis], *self.folded, *sizes[self.axis + 1 :])

    @property
    def folded(self) -> Shape:
        """Sizes of the sample's axes that are folded into the batch's."""
        return tuple(n for n in (self.outer, self.inner) if n > 1)

    @property
    def folded_axes(self) -> tuple[int, ...]:
        """Those axes of the sample."""
        return tuple(range(self.axis, self.axis + len(self.folded)))

    def own_axis(self, dim: int) -> int:
        """The sample's axis that is the tensor's axis `dim`, another one than the batch's."""
        return dim if dim < self.axis else dim - 1 + len(self.folded)

    def fits(self, sizes: Shape, batch: int) -> bool:
        """Whether a tensor of these sizes can have its batch here."""
        return self.axis in range(len(sizes)) and sizes[self.axis] == self.outer * batch * self.inner


FIRST = Place(0)
"""The batch is the first axis, and nothing is folded into it."""


def after_view(sizes: Shape, place: Place, viewed: Shape, batch: int) -> Place | None:
    """The batch's place after a view.

    Parameters
    ----------
    sizes, viewed : tuple of int
        The tensor's, before and after.
    place : Place
        Before.
    batch : int

    Returns
    -------
    Place or None
        That with the fewest folded elements; None if no axis holds the batch whole.
    """
    behind = place.inner * prod(sizes[place.axis + 1 :])  # elements from a sample to the next
    found = []
    for axis in range(len(viewed)):
        inner, rest = divmod(behind, prod(viewed[axis + 1 :]) or 1)
        if inner and not rest and viewed[axis] % (inner * batch) == 0:
            found.append(Place(axis, viewed[axis] // (inner * batch), inner))
    return min(found, key=lambda place: place.outer * place.inner, default=None)


def after_operator(places: list[tuple[int, Place]], sizes: Shape, batch: int) -> Place | None:
    """The batch's place in the result of an operator that leaves the batch where it is.

    Parameters
    ----------
    places : list of (int, Place)
        Number of axes and place of each input. Axes that an input lacks are the first ones.
    sizes : tuple of int
        The result's.
    batch : int

    Returns
    -------
    Place or None
        None if the inputs disagree, or if the result has no such axis or several.
    """
    rank = max(len(sizes), *(axes for axes, _ in places))
    aligned = {place._replace(axis=place.axis + rank - axes) for axes, place in places}
    if len(aligned) != 1:
        return None
    (place,) = aligned
    dropped = rank - len(sizes)
    likely = [place._replace(axis=axis) for axis in range(max(0, place.axis - dropped), place.axis + 1)]
    found = [each for each in likely if each.fits(sizes, batch)]
    return found[0] if len(found) == 1 else None
