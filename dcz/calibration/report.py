"""The result of a calibration: what integers change, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from ..dcformat.graph.quantization import F32
from .sensitivity import Sensitivity


@dataclass
class Sums:
    """Sums of squares: of errors, and of the numbers that they are errors of."""

    errors: float = 0.0
    numbers: float = 0.0

    def add(self, wanted: F32, found: F32) -> None:
        """Take in some numbers."""
        self.errors += float(np.square(found.astype(np.float64) - wanted).sum())
        self.numbers += float(np.square(wanted.astype(np.float64)).sum())

    @property
    def rms(self) -> float:
        """Root of the mean square error, over that of the numbers."""
        return sqrt(self.errors / self.numbers) if self.numbers else 0.0


@dataclass
class Compared:
    """Answers and layers in integers, compared with float32.

    Attributes
    ----------
    titles : mapping of int to str
        Names of layers by the value that they compute.
    answers : tuple of int
        The values of the outputs.
    """

    titles: Mapping[int, str]
    answers: tuple[int, ...]
    images: int = 0
    same: int = 0
    sums: dict[int, Sums] = field(default_factory=dict)

    def add(self, wanted: Mapping[int, F32], found: Mapping[int, F32]) -> None:
        """Take in some images."""
        for value in {*self.titles, *self.answers}:
            self.sums.setdefault(value, Sums()).add(wanted[value], found[value])
        first = self.answers[0]
        tops = (numbers[first].reshape(len(numbers[first]), -1).argmax(axis=1) for numbers in (wanted, found))
        one, other = tops
        self.images += len(one)
        self.same += int((one == other).sum())


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes
    ----------
    path : str
        The new container.
    file_bytes : int
    images : int
        Those that ranges come from.
    ranges : str
        The rule.
    correct_bias : bool
    seed : int
    compared : Compared
    budget : float or None
        Most images, in percent, whose greatest answer may differ from that of float32.
    scanned : sequence of Sensitivity
        What each layer alone does to the answers; empty without a budget.
    """

    path: str
    file_bytes: int
    images: int
    ranges: str
    correct_bias: bool
    seed: int
    compared: Compared
    budget: float | None = None
    scanned: Sequence[Sensitivity] = ()

    @property
    def layers(self) -> Iterable[tuple[str, float]]:
        """The layers that are computed in integers, in order, by their weight, and the relative error of each."""
        return [(name, self.compared.sums[value].rms) for value, name in self.compared.titles.items()]

    @property
    def answer_error(self) -> float:
        """Root of the mean square error of the first output, over that of its numbers."""
        return self.compared.sums[self.compared.answers[0]].rms

    @property
    def agreement(self) -> float:
        """Share of images whose greatest answer is that of float32."""
        return self.compared.same / self.compared.images

    def to_json(self) -> dict[str, Any]:
        """As ``dcz calibrate --json`` prints it."""
        return {
            "path": self.path,
            "file_bytes": self.file_bytes,
            "images": self.images,
            "ranges": self.ranges,
            "correct_bias": self.correct_bias,
            "seed": self.seed,
            "compared_images": self.compared.images,
            "layers": [{"weight": name, "rms_error": error} for name, error in self.layers],
            "answer_rms_error": self.answer_error,
            "agreement": self.agreement,
            "budget": self.budget,
            "scanned": [asdict(each) for each in self.scanned],
        }
