"""Which layers stay in float32: a scan of what integers in each layer alone do to the answers, and a budget for all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core.progress import progress
from ..dcformat import InputError, Quantization
from ..dcformat.graph.quantization import F32
from .choice import Choice

Answers = Callable[[Collection[str]], F32]
"""``answers(weights)``: of the calibration images, with the layers of these weights, and no others, in integers."""


@dataclass(frozen=True)
class Sensitivity:
    """What a layer in integers does to the answers while all others are computed in float32.

    Attributes
    ----------
    weight : str
        Layers that share a weight are one.
    answer_error : float
        Root of the mean square error of the first output, over that of its numbers.
    agreement : float
        Share of images whose greatest answer is that of float32.
    integer : bool
        Whether the layer is computed in integers in the end.
    """

    weight: str
    answer_error: float
    agreement: float
    integer: bool = True


def scan(weights: Sequence[str], answers: Answers, wanted: F32) -> list[Sensitivity]:
    """Try each layer alone.

    Parameters
    ----------
    weights : sequence of str
    answers : callable
    wanted : ndarray of float32, shape ``(images, ...)``
        The answers in float32.
    """
    found = []
    for weight in progress(weights, "layer", len(weights)):
        one = answers([weight])
        error = np.sqrt(np.square(one - wanted, dtype=np.float64).mean() / np.square(wanted, dtype=np.float64).mean())
        found.append(Sensitivity(weight, float(error), 1 - _changed(one, wanted) / len(wanted)))
    return found


def within_budget(scanned: Sequence[Sensitivity], answers: Answers, wanted: F32, points: float) -> list[Sensitivity]:
    """Leave the most sensitive layers in float32, as few as keep the answers within a budget.

    Those that change the greatest answer of most images come first, and of these those with the largest errors. The
    number is found by bisection, and the layers that stay in integers are measured together.

    Parameters
    ----------
    scanned : sequence of Sensitivity
    answers, wanted
        As for `scan`.
    points : float
        Most images, in percent, whose greatest answer may differ from that of float32.

    Raises
    ------
    InputError
        Only float32 in all layers keeps the budget.
    """
    worst = [each.weight for each in sorted(scanned, key=lambda each: (each.agreement, -each.answer_error))]

    def fits(dropped: int) -> bool:
        return _changed(answers(worst[dropped:]), wanted) <= points / 100 * len(wanted)

    fails, least = 0, 0 if fits(0) else len(worst)
    while least - fails > 1:
        middle = (fails + least) // 2
        if fits(middle):
            least = middle
        else:
            fails = middle
    if least == len(worst):
        raise InputError(
            "no layer can be computed in integers within the budget",
            expected=f"other answers for at most {points:g} % of {len(wanted):,} images",
            hint="take a larger --budget, another rule for --ranges, or more images",
        )
    return [replace(each, integer=each.weight not in worst[:least]) for each in scanned]


def restricted(whole: Quantization, choice: Choice) -> Quantization:
    """What some of the layers need of the ranges and scales of all."""
    values = {value for group in choice.groups for value in group}
    weights = {layer.node.params["weight"] for layer in choice.layers}
    return Quantization(
        {value: found for value, found in whole.values.items() if value in values},
        {name: scales for name, scales in whole.weights.items() if name in weights},
    )


def _changed(found: F32, wanted: F32) -> int:
    """Images whose greatest answer is another."""
    tops: list[NDArray[np.int64]] = [each.reshape(len(each), -1).argmax(axis=1) for each in (found, wanted)]
    return int((tops[0] != tops[1]).sum())
