"""The containers in models/: whole, listed, and right about the demo's digits."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcz

ROOT = Path(__file__).resolve().parents[3]
MODELS = sorted((ROOT / "models").glob("*.dcz"))
DIGITS = sorted((ROOT / "dcz" / "data" / "demo" / "digits").glob("*.png"))


def test_there_are_models_and_digits() -> None:
    assert MODELS
    assert len(DIGITS) == 10


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_whole_and_listed(path: Path) -> None:
    with dcz.open(path) as container:
        assert container.verify() == []
        assert container.graph is not None
        assert container.labels is not None
    readme = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    assert f"| `{path.name}` |" in readme
    assert f"| {path.stat().st_size:,} |" in readme


@pytest.mark.parametrize("path", [path for path in MODELS if path.stem.startswith("lenet")], ids=lambda path: path.stem)
def test_reads_the_demo_digits(path: Path) -> None:
    answers = dcz.load(path).predict(DIGITS, top=1)
    right = sum(answer[0].label == digit.name[0] for answer, digit in zip(answers, DIGITS, strict=True))
    assert right >= 9
