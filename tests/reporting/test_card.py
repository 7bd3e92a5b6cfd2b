"""Model cards: what they say, of which files, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dcz import InputError
from dcz.cli import main
from dcz.dcformat import Graph, make_node, write
from dcz.reporting import card


@pytest.fixture
def model(tmp_path: Path, small_container: Path) -> Path:
    path = tmp_path / "small.dcz"
    path.write_bytes(small_container.read_bytes())
    return path


def report_beside(model: Path, **changed: object) -> None:
    stages = [
        {"stage": "1 train", "accuracy": 0.9, "density": 1.0, "file_bytes": 5000},
        {"stage": "2 share", "accuracy": None, "density": 0.25, "file_bytes": model.stat().st_size},
    ]
    report = {"test_accuracy": 0.8765, "test_pictures": 1234, "stages": stages} | changed
    model.with_suffix(".report.json").write_text(json.dumps(report))


def test_a_card_of_a_classifier(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_beside(model)
    assert main(["report", str(model), "--card"]) == 0
    written = model.with_suffix(".md")
    text = written.read_text()
    assert capsys.readouterr().out == f"{written}: {written.stat().st_size:,} bytes\n"
    size = model.stat().st_size
    assert text.startswith("---\nlibrary_name: dcz\npipeline_tag: image-classification\ntags:\n- dcz\n")
    assert f"# small\n\n{size} bytes, {928 / size:.1f} times fewer than the network in fp32. From this file" in text
    assert "dcz classifies 87.65% of 1,234 test pictures correctly." in text
    assert 'model = dcz.load("small.dcz")\nmodel.predict(["picture.png"], top=3)\n' in text
    assert "\nClasses: cat, dog, owl.\n" in text
    assert "\n| conv.weight | 4x1x3x3 | " in text
    assert f"| 1 train | 0.9 | 1 | 5,000 |\n| 2 share | - | 0.25 | {size} |\n" in text


def test_text_of_a_file_is_no_markup(tmp_path: Path) -> None:
    weight = np.ones((2, 3), np.float32)
    graph = Graph((3,), (make_node("linear", (0,), {"weight": "a|`b"}),), 1)
    write(tmp_path / "net.dcz", graph, {"a|`b": weight}, labels=["<script>", "[x](y)"])
    text = card(tmp_path / "net.dcz", tmp_path / "README.md").read_text()
    assert "Classes: \\<script\\>, \\[x\\](y)." in text
    assert "| a\\|\\`b | 2x3 |" in text
    assert "model(x)  # (N, 3)" in text
    assert "image-classification" not in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stages": []}, "no report of dcz compress"),
        ({"stages": [{"file_bytes": 7}]}, "no report of dcz compress"),
        ({"stages": [{"stage": "1 share", "accuracy": 0.5, "density": 1.0, "file_bytes": 7}]}, "of another container"),
    ],
)
def test_a_foreign_report_is_refused(model: Path, changed: dict[str, object], message: str) -> None:
    report_beside(model, **changed)
    with pytest.raises(InputError, match=message):
        card(model)
    assert not model.with_suffix(".md").exists()


def test_a_card_takes_no_flags_of_the_page(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(model), "--card", "--time"]) == 1
    assert "a card shows neither weights nor times" in capsys.readouterr().err
