"""Scores to ranked probabilities, with infinities and NaN among them."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest

from dcz.dcformat import Graph
from dcz.runtime.vision.ranking import Answer, Prediction, rank, warning_of_nan

INF, NAN = math.inf, math.nan
PLAIN = Graph((4,), (), 0)


@pytest.mark.parametrize(
    ("scores", "order", "chances"),
    [
        ([1, INF, 3, 0], [1, 0, 2, 3], [1, 0, 0, 0]),
        ([INF, -INF, INF, 9], [0, 2, 1, 3], [0.5, 0.5, 0, 0]),
        ([-INF, 0, -INF, 0], [1, 3, 0, 2], [0.5, 0.5, 0, 0]),
        ([-INF] * 4, [0, 1, 2, 3], [0.25] * 4),
        ([INF] * 4, [0, 1, 2, 3], [0.25] * 4),
        ([3e38, -3e38, 0, 3e38], [0, 3, 1, 2], [0.5, 0.5, 0, 0]),
    ],
)
def test_infinite_scores_have_probabilities(scores, order, chances):
    (best,) = rank(np.array([scores], np.float32), PLAIN, None, 4)
    assert [one.index for one in best] == order
    assert [one.score for one in best] == chances


def test_finite_scores_are_ranked_by_softmax_to_the_bit():
    scores = np.random.default_rng(0).normal(scale=30, size=(50, 7)).astype(np.float32)
    wide = scores.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    for best, row in zip(rank(scores, PLAIN, None, 7), expected, strict=True):
        assert [one.score for one in best] == sorted(row, reverse=True)


def test_one_warning_names_the_answers_that_are_nan(caplog):
    def answer(*scores):
        return [Prediction("x", i, score) for i, score in enumerate(scores)]

    good, bad = answer(0.9, 0.1), answer(NAN, NAN)
    with caplog.at_level(logging.WARNING, "dcz.runtime"):
        list(warning_of_nan([Answer("a.png", good), Answer("b.png", good)]))
        assert not caplog.messages
        answers = [Answer(f"{name}.png", good if name in "ad" else bad) for name in "abcdefg"]
        assert list(warning_of_nan(answers)) == answers
    assert caplog.messages == ["NaN in 5 of 7 answers: b.png, c.png, e.png and 2 more"]
