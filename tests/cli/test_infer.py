from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dcz as package
from dcz.dcformat import Graph, make_node, write


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


def test_tuned_kernels(dcz: Callable, fails: Callable, small_container: Path, pictures: Path, tmp_path: Path) -> None:
    command, file = ("infer", small_container, pictures, "--json", "--top", 1), tmp_path / "tuning.json"
    plain, tuned = (json.loads(dcz(*command, *more).out) for more in ([], ["--tuning", file]))
    assert [a["predictions"][0]["label"] for a in tuned] == [a["predictions"][0]["label"] for a in plain]
    assert '"picks"' in file.read_text()
    assert "not a tuning file" in fails(*command, "--tuning", small_container)
    assert "this machine alone" in fails(*command, "--tuning", file, "--backend", "dask")


def test_verbose_tells_where_the_time_went(dcz: Callable, small_container: Path, pictures: Path) -> None:
    result = dcz("infer", small_container, pictures, "-v")
    assert all(stage in result.err for stage in ("import", "load", "plan", "compile", "inference"))
    assert "import" not in result.out


def test_a_text_among_images_is_passed_over_but_not_when_named(
    dcz: Callable, fails: Callable, small_container: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "b.png").write_bytes((pictures / "b.png").read_bytes())
    result = dcz("infer", small_container, tmp_path)
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert "notes.txt" in result.err
    assert "notes.txt" in fails("infer", small_container, tmp_path / "notes.txt")


def test_class_folders_are_walked_and_one_line_says_what_was_passed_over(
    dcz: Callable, small_container: Path, pictures: Path, tmp_path: Path
) -> None:
    for name in ("cat/b.png", "dog/c.png", "dog/young/d.jpg", "cat/._b.png", ".trash/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((pictures / Path(name).name.removeprefix("._")).read_bytes())
    for name in ("cat/b.gif", "cat/list.txt", "dog/c.tif", "dog/young/d.heic"):
        (tmp_path / name).touch()
    result = dcz("infer", small_container, tmp_path, "--csv", "--top", 1)
    names = [Path(row["path"]).relative_to(tmp_path).as_posix() for row in csv.DictReader(io.StringIO(result.out))]
    assert (result.code, names) == (0, ["cat/b.png", "dog/c.png", "dog/young/d.jpg"])
    said = [line for line in result.err.splitlines() if "passed over" in line]
    assert len(said) == 1
    assert "passed over 4 files" in said[0]
    assert said[0].endswith("dog/c.tif and 1 more")
    assert "passed over" not in dcz("infer", small_container, tmp_path, "--quiet").err


def test_one_warning_tells_which_answers_are_nan(
    dcz: Callable, small_container: Path, pictures: Path, tmp_path: Path
) -> None:
    bad = [tmp_path / f"bad{i}.npy" for i in range(5)]
    for path in bad:
        np.save(path, np.full((1, 8, 8), np.nan, dtype=np.float32))
    result = dcz("infer", small_container, *bad, pictures / "b.png", "--json", "--batch-size", 2)
    assert result.code == 0
    assert [answer["predictions"][0]["score"] is None for answer in json.loads(result.out)] == [True] * 5 + [False]
    assert result.err == f"dcz: NaN in 5 of 6 answers: {', '.join(map(str, bad[:3]))} and 2 more\n"


def test_a_piped_image_or_array(small_container: Path, pictures: Path, tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.zeros((2, 1, 8, 8), np.float32))
    command = [sys.executable, "-m", "dcz", "infer", small_container, "/dev/stdin", "--csv", "--top", "1"]
    for content, names in (
        ((pictures / "b.png").read_bytes(), ["/dev/stdin"]),
        (array.getvalue(), ["/dev/stdin[0]", "/dev/stdin[1]"]),
    ):
        done = subprocess.run(command, input=content, capture_output=True, check=True)
        assert [row["path"] for row in csv.DictReader(io.StringIO(done.stdout.decode()))] == names


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_paths_without_images_are_refused_before_the_work(
    fails: Callable, small_container: Path, pictures: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "folder"
    if kind == "empty":
        path.mkdir()
    assert "folder" in fails("infer", small_container, pictures, path)


@pytest.fixture
def damaged(pictures: Path, tmp_path: Path) -> Path:
    """A folder of three pictures: the one in the middle is cut short."""
    content = (pictures / "b.png").read_bytes()
    for name, part in (("a.png", content), ("bad.png", content[: len(content) // 2]), ("c.png", content)):
        (tmp_path / name).write_bytes(part)
    return tmp_path


def test_the_rest_goes_on_where_a_file_cannot_be_read(dcz: Callable, small_container: Path, damaged: Path) -> None:
    result = dcz("infer", small_container, damaged)
    assert (result.code, [Path(line.split()[0]).name for line in result.out.splitlines()]) == (1, ["a.png", "c.png"])
    assert result.err.startswith(f"dcz: error: {damaged / 'bad.png'}: not a readable image")
    assert result.err.count("\n") == 1

    result = dcz("infer", small_container, damaged, "--json", "--top", 1)
    assert [sorted(answer) for answer in json.loads(result.out)] == [
        ["path", "predictions"],
        ["error", "path"],
        ["path", "predictions"],
    ]
    told = f"dcz: error: 1 file could not be read, as the output tells: {damaged / 'bad.png'}\n"
    assert (result.code, result.err) == (1, told)


def test_strict_stops_at_a_file_that_cannot_be_read(fails: Callable, small_container: Path, damaged: Path) -> None:
    for style in ([], ["--json"]):
        assert "bad.png: not a readable image" in fails("infer", small_container, damaged, "--strict", *style)


def test_weights_without_a_graph_cannot_infer(fails: Callable, pictures: Path, tmp_path: Path) -> None:
    write(tmp_path / "w.dcz", None, {"w": np.ones((2, 2), np.float32)})
    assert "graph" in fails("infer", tmp_path / "w.dcz", pictures)


def test_answers_that_are_no_numbers_are_null(dcz: Callable, small_container: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "nan.npy", np.full((1, 8, 8), np.nan, dtype=np.float32))
    result = dcz("infer", small_container, tmp_path / "nan.npy", "--json", "--top", 1)
    assert result.code == 0
    assert json.loads(result.out)[0]["predictions"][0]["score"] is None


ESCAPES = "\x1b[31mred\x9b2J\r\n\u202elabel"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A container whose labels and tensor names would do things to a terminal."""
    path = tmp_path / "hostile.dcz"
    graph = Graph((4,), (make_node("linear", (0,), {"weight": ESCAPES}),), 1)
    write(path, graph, {ESCAPES: np.eye(4, dtype=np.float32)}, labels=[f"{i}{ESCAPES}" for i in range(4)])
    return path


def test_no_name_from_a_file_can_move_the_cursor(dcz: Callable, hostile: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 4), dtype=np.float32))
    (tmp_path / "cut.dcz").write_bytes(hostile.read_bytes()[:-1] + b"x")
    for arguments in (
        ("infer", hostile, tmp_path / "x.npy"),
        ("infer", hostile, tmp_path / "x.npy", "--csv"),
        ("info", hostile),
        ("verify", tmp_path / "cut.dcz"),
        ("infer", hostile, tmp_path / ESCAPES),
    ):
        result = dcz(*arguments)
        shown = set(result.out + result.err)
        assert shown
        assert not shown & set(ESCAPES[0] + "\x9b\r\u202e"), arguments


def test_json_keeps_names_as_they_are_without_a_control_character(dcz: Callable, hostile: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(4, dtype=np.float32))
    out = dcz("infer", hostile, tmp_path / "x.npy", "--json").out
    assert not set(out) & set("\x1b\x9b\r")
    assert json.loads(out)[0]["predictions"][0]["label"] == f"0{ESCAPES}"
    assert json.loads(dcz("info", hostile, "--json").out)["tensors"][0]["name"] == ESCAPES
