"""What every front end yields: a network's tensors, and its graph where one is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..dcformat import Dense, Graph, Preprocess

if TYPE_CHECKING:
    from torch import nn


@dataclass
class Source:
    """A model on its way into a container.

    Attributes
    ----------
    tensors : dict of str to Dense
        Every tensor, in the checkpoint's order and under the checkpoint's names.
    graph : Graph or None
        Names tensors as `tensors` does. None: weights only.
    preprocess : Preprocess or None
        How an image becomes the input, where the front end knows.
    labels : sequence of str or None
        Names of the classes, where the front end knows.
    reference : callable or None
        Makes the network as a torch module in eval mode, with these weights, independently of `graph`: to verify
        against.
    batch : int or None
        The batch size that `reference` is bound to, as exported programs are; None: any.
    messages : list of str
        What the user should know: what was recognised, what was left out.
    seconds : dict of str to float
        Time spent, by stage.
    """

    tensors: dict[str, Dense]
    graph: Graph | None = None
    preprocess: Preprocess | None = None
    labels: Sequence[str] | None = None
    reference: Callable[[], nn.Module] | None = None
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
