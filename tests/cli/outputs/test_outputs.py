"""Outputs of dcz infer that are written as answers come, and runs that go on in them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcz.runtime import Model

SAMPLES = 3


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """Six files, one twice: inputs, batches of three, and one that is no array."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "in"
    folder.mkdir()
    for name, count in (("a", 1), ("b, c", SAMPLES), ("d", 1), ("e", SAMPLES)):
        np.save(folder / f"{name}.npy", rng.normal(size=(count, 1, 8, 8)).astype(np.float32))
    (folder / "bad.npy").write_bytes(b"nothing")
    return [folder / f"{name}.npy" for name in ("a", "b, c", "bad", "d", "d", "e")]


@pytest.fixture(params=["--csv", "--jsonl"])
def rows(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def whole(dcz: Callable, small_container: Path, inputs: list[Path], rows: str) -> str:
    """What a run that nobody stops writes."""
    result = dcz("infer", small_container, *inputs, rows)
    assert result.code == 1
    return result.out


def test_rows_hold_all_answers_and_errors(dcz: Callable, small_container: Path, inputs: list[Path]) -> None:
    written = dcz("infer", small_container, *inputs, "--csv", "--top", 2).out
    table = list(csv.DictReader(written.splitlines()))
    answers = [
        json.loads(line) for line in dcz("infer", small_container, *inputs, "--jsonl", "--top", 2).out.splitlines()
    ]
    assert len(answers) == 3 + 2 * SAMPLES + 1
    assert [answer["path"] for answer in answers for _ in answer.get("predictions", "e")] == [r["path"] for r in table]
    (error,) = (row for row in table if row["error"])
    assert (error["path"], error["rank"], error["score"]) == (str(inputs[2]), "", "")
    assert error["error"] == next(answer["error"] for answer in answers if "error" in answer)


def test_a_file_gets_what_standard_output_would(
    dcz: Callable, fails: Callable, small_container: Path, inputs: list[Path], rows: str, whole: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert dcz("infer", small_container, *inputs, rows, "-o", out).out == ""
    assert out.read_text() == whole
    assert "the file exists; --resume goes on in it" in fails("infer", small_container, *inputs, rows, "-o", out)
    assert out.read_text() == whole


def test_a_run_goes_on_wherever_it_stopped(
    dcz: Callable, small_container: Path, inputs: list[Path], rows: str, whole: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    content = whole.encode()
    for end in [0, *np.linspace(1, len(content), 13).astype(int).tolist()]:
        out.write_bytes(content[:end])
        dcz("infer", small_container, *inputs, rows, "-o", out, "--resume")
        assert out.read_bytes() == content, end


def test_answers_that_are_there_are_not_computed_again(
    dcz: Callable, small_container: Path, inputs: list[Path], rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    dcz("infer", small_container, *inputs, rows, "-o", out, "--batch-size", 4)
    asked = []
    answers = Model.answers
    monkeypatch.setattr(
        Model, "answers", lambda model, paths, *rest: answers(model, asked.extend(p := list(paths)) or p, *rest)
    )
    assert dcz("infer", small_container, *inputs, rows, "-o", out, "--resume", "--batch-size", 4).code == 0
    assert asked == list(map(str, inputs[4:])), "from the start of the last batch"


def test_answers_stay_when_a_run_is_interrupted(
    dcz: Callable,
    small_container: Path,
    inputs: list[Path],
    rows: str,
    whole: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    answers = Model.answers

    def interrupted(*args: object) -> object:
        for count, answer in enumerate(answers(*args)):
            if count == 3:
                raise KeyboardInterrupt
            yield answer

    with monkeypatch.context() as patch:
        patch.setattr(Model, "answers", interrupted)
        assert dcz("infer", small_container, *inputs, rows, "-o", out).code == 130
    assert 0 < out.stat().st_size < len(whole)
    dcz("infer", small_container, *inputs, rows, "-o", out, "--resume")
    assert out.read_text() == whole


def test_a_run_that_cannot_begin_leaves_no_file(fails: Callable, inputs: list[Path], rows: str, tmp_path: Path) -> None:
    assert "none.dcz" in fails("infer", tmp_path / "none.dcz", *inputs, rows, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_outputs_of_others_are_not_gone_on_with(
    fails: Callable, small_container: Path, inputs: list[Path], rows: str, whole: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("infer", small_container, *inputs[1:], rows, "-o", out, "--resume")
    out.write_text(whole)
    assert "answers of other images (byte" in fails(*command)
    assert out.read_text() == whole
    out.write_text("something else\n" + whole)
    assert f"not an output of dcz infer {rows}" in fails(*command)
    assert out.read_text() == "something else\n" + whole


@pytest.mark.parametrize(
    "flags", [["-o", "x"], ["--json", "-o", "x"], ["--resume"], ["--csv", "--resume"], ["--csv", "--jsonl"]], ids=str
)
def test_flags_that_do_not_go_together(
    dcz: Callable, small_container: Path, inputs: list[Path], flags: list[str]
) -> None:
    assert dcz("infer", small_container, *inputs, *flags).code == 2
