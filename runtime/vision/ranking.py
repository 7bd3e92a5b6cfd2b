"""What a network answered, as class labels with probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dcformat import Graph
from ..kernels.contract import F32


class Prediction(NamedTuple):
    """One answer for one image: class label (its index as text, if the container has no labels), index, probability."""

    label: str
    index: int  # type: ignore[assignment]
    score: float


def rank(scores: F32, graph: Graph, labels: Sequence[str] | None, top: int) -> list[list[Prediction]]:
    """The best classes for what a network answered.

    Parameters
    ----------
    scores : ndarray of float32, shape (N, ...)
    graph : Graph
        The network, whose last operator tells whether the scores are probabilities already.
    labels : sequence of str or None
    top : int

    Returns
    -------
    list of list of Prediction
        One list a sample. Ties go to the lower index.
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
    """Class probabilities from what the network answers, shape (N, classes)."""
    value = graph.output
    while value > 0 and graph.nodes[value - 1].op == "flatten":
        value = graph.nodes[value - 1].inputs[0]
    last = graph.nodes[value - 1] if value > 0 else None
    wide = scores.astype(np.float64)
    if last is not None and last.op == "softmax":
        return np.exp(wide) if last.attrs["log"] else wide
    with np.errstate(invalid="ignore"):  # a network that answers with infinity gets NaN
        powers = np.exp(wide - wide.max(axis=1, keepdims=True))
        chances: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return chances
