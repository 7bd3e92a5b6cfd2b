from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as driver
from benchmarks.suite import Benchmark, Options, Record, Table, markdown, not_run, outcomes, read_all


class Counted:
    """A benchmark of two cases that counts how often each is measured; `broken` ones fail."""

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.broken: set[str] = set()
        self.problems: list[str] = []
        self.benchmark = Benchmark("counted", "How often?", self.cases, self.tables)

    def cases(self, options: Options) -> dict[str, Any]:
        return {key: lambda key=key: self.case(key) for key in ("a", "b")}

    def case(self, key: str) -> list[dict[str, Any]]:
        self.measured.append(key)
        if key in self.broken:
            raise RuntimeError(f"{key} is broken")
        return [{"key": key, "value": 1234, "problems": self.problems}]

    def tables(self, rows: list[dict[str, Any]]) -> list[Table]:
        return [Table("Counts", ("key", "value"), [(row["key"], row["value"]) for row in rows])]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted()
    monkeypatch.setitem(driver.BENCHMARKS, "counted", made.benchmark)
    return made


def test_a_run_is_written_with_its_command_and_machine(
    counted: Counted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver.main(["counted", "--results", str(tmp_path), "--threads", "2"]) == 0
    (path,) = tmp_path.glob("counted-*.json")
    document = json.loads(path.read_text())
    assert document["command"] == f"python -m benchmarks counted --results {tmp_path.name} --threads 2"
    assert document["finished"] >= document["started"]
    assert document["machine"]["cores"] >= 1
    assert list(document["cases"]) == ["a", "b"]
    assert "a    1,234" in capsys.readouterr().out


def test_an_older_run_stays_as_it_was(counted: Counted, tmp_path: Path) -> None:
    for _ in range(3):  # within one second: the names must differ all the same
        assert driver.main(["counted", "--results", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("counted-*.json"))) == 3
    assert counted.measured == ["a", "b"] * 3


def test_a_broken_case_fails_the_run_and_is_taken_up_again(
    counted: Counted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counted.broken = {"a"}
    assert driver.main(["counted", "--results", str(tmp_path)]) == 1
    assert "a is broken" in capsys.readouterr().err
    assert read_all(tmp_path, "counted")[0].document["finished"] is None
    counted.broken = set()
    assert driver.main(["counted", "--results", str(tmp_path), "--resume"]) == 0
    assert counted.measured == ["a", "b", "a"]
    (record,) = read_all(tmp_path, "counted")
    assert record.document["finished"] is not None
    assert [row["key"] for row in record.rows] == ["b", "a"]


def test_a_run_of_other_options_is_not_taken_up(counted: Counted, tmp_path: Path) -> None:
    counted.broken = {"a"}
    assert driver.main(["counted", "--results", str(tmp_path)]) == 1
    counted.broken = set()
    assert driver.main(["counted", "--results", str(tmp_path), "--quick", "--resume"]) == 0
    documents = [record.document for record in read_all(tmp_path, "counted")]
    assert {doc["finished"] is None: list(doc["cases"]) for doc in documents} == {True: ["b"], False: ["a", "b"]}


def test_resuming_with_nothing_to_resume_starts_anew(counted: Counted, tmp_path: Path) -> None:
    assert driver.main(["counted", "--results", str(tmp_path)]) == 0
    assert driver.main(["counted", "--results", str(tmp_path), "--resume"]) == 0
    assert len(read_all(tmp_path, "counted")) == 2


def test_a_problem_in_a_row_fails_the_run(counted: Counted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counted.problems = ["too large"]
    assert driver.main(["counted", "--results", str(tmp_path)]) == 1
    assert "benchmarks: counted: too large" in capsys.readouterr().err


def test_other_files_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "counted-notes.json").write_text('{"benchmark": "another"}')
    Record.start(tmp_path, "counted", "command")
    assert len(read_all(tmp_path, "counted")) == 1


def test_markdown_aligns_numbers_right() -> None:
    lines = markdown(Table("T", ("name", "n"), [("x", 1234), ("y", None)])).splitlines()
    assert lines == ["**T**", "", "| name | n |", "| --- | ---: |", "| x | 1,234 |", "| y | - |"]


def test_a_reason_names_the_networks_that_it_holds_for() -> None:
    rows = [
        {"network": "A", "engine": "one", "not_run": "not installed"},
        {"network": "B", "engine": "one", "not_run": "not installed"},
        {"network": "B", "engine": "two", "not_run": "crashed"},
        {"network": "B", "missing": {"xz": "too large"}},
        {"no": "network"},
    ]
    assert not_run(rows) == [
        "one was not run: not installed",
        "two was not run on B: crashed",
        "xz was not run on B: too large",
    ]


def test_docs_without_matplotlib_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert driver.main(["--docs", "--results", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error == "benchmarks: --docs needs matplotlib; install with: pip install '.[bench]'\n"


def test_no_progress_is_drawn_into_a_pipe(counted: Counted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main(["counted", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["nothing"], ["sizes", "--networks", "nonet"]])
def test_unknown_names_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        driver.main(arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize("jobs", [1, 3])
def test_outcomes_are_rows_and_errors(jobs: int) -> None:
    def broken() -> list[dict[str, Any]]:
        raise RuntimeError("broken")

    found = dict(outcomes({"a": lambda: [{"value": 1}], "b": broken, "c": lambda: []}, jobs))
    assert (found["a"], found["c"]) == ([{"value": 1}], [])
    assert isinstance(found["b"], RuntimeError)


def test_the_command_of_a_run_is_the_same_with_other_jobs() -> None:
    assert driver._public(["zoo", "--jobs", "4", "--resume", "--checkpoints", "/some/files"]) == [
        "zoo", "--checkpoints", "files",
    ]  # fmt: skip


def test_jobs_are_for_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        driver.main(["sizes", "--jobs", "2"])
    assert "--jobs is for zoo" in capsys.readouterr().err
