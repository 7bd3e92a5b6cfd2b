"""Report of a recipe, stage by stage: the figures, and their files."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StageReport:
    """Result of one stage.

    Attributes
    ----------
    stage : str
    accuracy : float or None
        On the held-out part of the training set; None if nothing is held out.
    nonzero, weights : int
        Of convolutions and linear layers.
    density : float
    bits : float
        Mean bits of a codebook index over the non-zero weights; 32 for a weight that is not shared.
    file_bytes : int
        Size of the container of this stage.
    ratio : float
        fp32 bytes of the dense network over `file_bytes`.
    ratio_course, ratio_paper : float or None
        The formulas of ``Container.info``; None until weights are shared.
    seconds : float
    """

    stage: str
    accuracy: float | None
    nonzero: int
    weights: int
    density: float
    bits: float
    file_bytes: int
    ratio: float
    ratio_course: float | None
    ratio_paper: float | None
    seconds: float


@dataclass(frozen=True)
class CompressionReport:
    """Result of a recipe.

    Attributes
    ----------
    arch : str
    path : str
        The container.
    test_accuracy : float
        Of the container, run by `dcz.runtime` on the whole test set.
    test_pictures : int
    stages : list of StageReport
    """

    arch: str
    path: str
    test_accuracy: float
    test_pictures: int
    stages: list[StageReport] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As written beside the container."""
        return asdict(self)


def write_report(report: CompressionReport, out: Path) -> None:
    """Write ``OUT.report.json`` and ``OUT.report.csv`` (a row a stage)."""
    out.with_suffix(".report.json").write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    rows = [asdict(stage) for stage in report.stages]
    with out.with_suffix(".report.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
