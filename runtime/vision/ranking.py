"""Ranking: from the output of a network to class labels with probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import InputError, Tally

if TYPE_CHECKING:
    from ...dcformat import Graph
    from ..kernels.contract import F32


class Prediction(NamedTuple):
    """One answer for one image: class label (its index as text, if the container has no labels), index, probability."""

    label: str
    index: int  # type: ignore[assignment]
    score: float


class Answer(NamedTuple):
    """What became of one image: its best classes, or the error for which there are none."""

    name: str
    predictions: list[Prediction]
    error: InputError | None = None

    def sound(self) -> Answer:
        """Raise the error, if there is one; else return the answer itself."""
        if self.error is not None:
            raise self.error
        return self


def rank(scores: F32, graph: Graph, labels: Sequence[str] | None, top: int) -> list[list[Prediction]]:
    """The best classes for an output of a network.

    Parameters
    ----------
    scores : ndarray of float32, shape (N, ...)
    graph : Graph
        The network. Its last operator decides whether the scores are probabilities already.
    labels : sequence of str or None
    top : int

    Returns
    -------
    list of list of Prediction
        One list a sample. Ties go to the lower index. An infinite score has probability 1; several share it.
    """
    chances = _probabilities(scores.reshape(len(scores), -1), graph)
    best = np.argsort(-chances, axis=1, kind="stable")[:, :top]
    return [
        [Prediction(_label(i, labels), i, float(row[i])) for i in order.tolist()]
        for row, order in zip(chances, best, strict=True)
    ]


def _label(index: int, labels: Sequence[str] | None) -> str:
    return labels[index] if labels is not None and index < len(labels) else str(index)


def _probabilities(scores: F32, graph: Graph) -> NDArray[np.float64]:
    """Class probabilities from an output of the network, shape (N, classes)."""
    last = graph.maker(graph.output)
    while last is not None and last.op == "flatten":
        last = graph.maker(last.inputs[0])
    wide = scores.astype(np.float64)
    if last is not None and last.op == "softmax":
        return np.exp(wide) if last.attrs["log"] else wide
    best = wide.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # of infinity and itself
        powers = np.exp(np.where(wide == best, 0, wide - best))
    chances: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return chances


def warning_of_nan(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Pass answers on; at the end, log one warning that names those with NaN, if there are any."""
    lost, count = Tally(), 0
    for answer in answers:
        count += 1
        if any(isnan(one.score) for one in answer.predictions):
            lost.add(answer.name)
        yield answer
    if lost.count:
        import logging  # few need it

        logging.getLogger("dcz.runtime").warning("NaN in %d of %d answers: %s", lost.count, count, lost)
