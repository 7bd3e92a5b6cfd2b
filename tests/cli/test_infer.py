from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import dcz as package
from dcz.dcformat import write


def test_json_in_the_order_of_the_paths_folders_sorted(dcz: Callable, small_container: Path, pictures: Path) -> None:
    result = dcz("infer", small_container, pictures / "d.jpg", pictures, "--json", "--top", 2)
    assert result.code == 0
    answers = json.loads(result.out)
    assert [Path(answer["path"]).name for answer in answers] == ["d.jpg", "b.png", "c.png", "d.jpg"]
    assert answers[0] == answers[3]
    expected = package.load(small_container).predict([pictures / "b.png"], top=2)[0]
    assert answers[1]["predictions"] == [
        {"label": p.label, "index": p.index, "score": pytest.approx(p.score)} for p in expected
    ]


def test_text_has_one_line_an_image(dcz: Callable, small_container: Path, pictures: Path) -> None:
    lines = dcz("infer", small_container, pictures).out.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == ["b.png", "c.png", "d.jpg"]
    assert all(line.count("%") == 3 for line in lines)  # three classes, though --top is 5
    assert len({line.index("%") for line in lines}) == 1


def test_csv(dcz: Callable, small_container: Path, pictures: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(dcz("infer", small_container, pictures, "--csv", "--top", 1).out)))
    assert [(Path(row["path"]).name, row["rank"]) for row in rows] == [(f, "1") for f in ("b.png", "c.png", "d.jpg")]
    assert {row["label"] for row in rows} <= {"cat", "dog", "owl"}


@pytest.mark.parametrize("flags", [["--batch-size", 1], ["--batch-size", 2], ["--threads", 1]], ids=str)
def test_batches_and_threads_change_no_answer(
    dcz: Callable, small_container: Path, pictures: Path, flags: list[object]
) -> None:
    answers = [json.loads(dcz("infer", small_container, pictures, "--json", *extra).out) for extra in ([], flags)]
    for one, other in zip(*answers, strict=True):
        for a, b in zip(one["predictions"], other["predictions"], strict=True):
            assert (a["label"], a["score"]) == (b["label"], pytest.approx(b["score"], abs=1e-5))


def test_verbose_tells_where_the_time_went(dcz: Callable, small_container: Path, pictures: Path) -> None:
    result = dcz("infer", small_container, pictures, "-v")
    assert all(stage in result.err for stage in ("import", "load", "plan", "compile", "inference"))
    assert "import" not in result.out


def test_a_text_among_images_in_a_folder_is_passed_over_but_not_when_named(
    fails: Callable, small_container: Path, pictures: Path
) -> None:
    assert "notes.txt" in fails("infer", small_container, pictures / "notes.txt")


@pytest.mark.parametrize("kind", ["missing", "empty folder", "empty file", "truncated"])
def test_bad_images(fails: Callable, small_container: Path, pictures: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.png"
    if kind == "empty folder":
        path.mkdir()
    elif kind != "missing":
        content = (pictures / "b.png").read_bytes()
        path.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"")
    assert "bad.png" in fails("infer", small_container, pictures, path)


def test_weights_without_a_graph_cannot_infer(fails: Callable, pictures: Path, tmp_path: Path) -> None:
    import numpy as np

    write(tmp_path / "w.dcz", None, {"w": np.ones((2, 2), np.float32)})
    assert "graph" in fails("infer", tmp_path / "w.dcz", pictures)
