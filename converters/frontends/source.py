"""`Source`, the result of every front end: a network's tensors, and its graph if known."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...core.errors import quoted
from ...dcformat import ConversionError, Dense, Graph, Preprocess

if TYPE_CHECKING:
    from torch import nn


@dataclass
class Source:
    """A model on its way into a container.

    Attributes
    ----------
    tensors : dict of str to Dense
        Every tensor, in the checkpoint's order and under the checkpoint's names. Several names of one tensor (tied
        weights) have one `Dense`.
    graph : Graph or None
        Refers to `tensors` by name. None: weights only.
    preprocess : Preprocess or None
        Preprocessing of images, if the front end knows it.
    labels : sequence of str or None
        Names of the classes, if the front end knows them.
    metadata : dict of str to str
        Free text that came with the model.
    reference : callable or None
        Makes the network as a torch module in eval mode, with these weights, independently of `graph`: to verify
        against.
    lost : dict of str to int
        Count of the numbers that a container cannot hold, by their name in the model.
    way_out : str or None
        Advice to the user about `lost`, if there is any.
    batch : int or None
        Fixed batch size of `reference`, as of exported programs; None: any.
    messages : list of str
        Notes for the user: what was recognised, what was set aside.
    seconds : dict of str to float
        Time spent, by stage.
    """

    tensors: dict[str, Dense]
    graph: Graph | None = None
    preprocess: Preprocess | None = None
    labels: Sequence[str] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    reference: Callable[[], nn.Module] | None = None
    lost: dict[str, int] = field(default_factory=dict)
    way_out: str | None = None
    batch: int | None = None
    messages: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to `seconds`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def untie(self) -> dict[str, str]:
        """Remove all but the first name of each tensor, in the graph as well.

        Returns
        -------
        dict of str to str
            The first name for each of the others.
        """
        first: dict[int, str] = {}
        names = {name: first.setdefault(id(tensor), name) for name, tensor in self.tensors.items()}
        tied = {name: stored for name, stored in names.items() if name != stored}
        self.tensors = {name: tensor for name, tensor in self.tensors.items() if name not in tied}
        if self.graph is not None:
            self.graph = self.graph.renamed(tied)
        return tied

    def check_whole(self, partial: bool, path: str | os.PathLike[str] | None = None) -> None:
        """Report lost numbers: in an error that names the file, or in a message if `partial` allows them.

        Raises
        ------
        ConversionError
        """
        if self.lost and not partial:
            way_out = f"{self.way_out}, or " if self.way_out else ""
            hint = f"{way_out}leave them out with --partial (partial=True)"
            raise ConversionError(f"a container cannot hold {self.what_is_lost()}", path=path, hint=hint)
        if self.lost:
            self.messages.append(f"left out of the container: {self.what_is_lost()}")

    def what_is_lost(self) -> str:
        """`lost` in words: how many numbers, and where the first of them are."""
        return f"{sum(self.lost.values()):,} numbers of the model, in {quoted(self.lost)}"
