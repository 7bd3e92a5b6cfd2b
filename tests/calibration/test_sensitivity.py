"""The scan of layers, and what stays in float32 within a budget."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

import dcz
from dcz.calibration.sensitivity import Sensitivity, scan, within_budget

WANTED = np.tile(np.array([[3, 1, 0]], np.float32), (10, 1))
HARM = {"a": 0, "b": 3, "c": 1, "d": 2}
"""Images whose greatest answer each layer changes."""


def answers(weights: Collection[str]) -> np.ndarray:
    """Each layer of `HARM` changes answers of its own."""
    found, first = WANTED.copy(), 0
    for name, images in HARM.items():
        if name in weights:
            found[first : first + images, 1] = 4
        first += images
    return found


def kept(points: float) -> list[str]:
    scanned = scan(list(HARM), answers, WANTED)
    return [each.weight for each in within_budget(scanned, answers, WANTED, points) if each.integer]


def test_each_layer_alone() -> None:
    found = scan(["a", "b"], answers, WANTED)
    assert found[0] == Sensitivity("a", 0.0, 1.0)
    assert found[1] == Sensitivity("b", pytest.approx(np.sqrt(27 / 100)), pytest.approx(0.7))


@pytest.mark.parametrize(
    ("points", "wanted"), [(100, "abcd"), (60, "abcd"), (59, "acd"), (30, "acd"), (10, "ac"), (0, "a")]
)
def test_the_most_harmful_layers_are_left_out(points: float, wanted: str) -> None:
    assert kept(points) == list(wanted)


def test_a_budget_that_nothing_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HARM, "a", 1)
    with pytest.raises(dcz.InputError, match="no layer can be computed in integers within the budget") as caught:
        kept(5)
    assert "other answers for at most 5 % of 10 images" in str(caught.value)
