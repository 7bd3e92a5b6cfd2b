from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import docs_page
from benchmarks.questions import scaling
from benchmarks.suite import Benchmark, Record, Table

PAGE = "# Title\n\n<!-- begin one -->\nold\n<!-- end one -->\n\nkept\n\n<!-- begin two -->\nstays\n<!-- end two -->\n"


def tables(rows: list[dict[str, object]]) -> list[Table]:
    return [Table("Sizes", ("engine", "n"), [(row["engine"], row.get("n")) for row in rows])]


@pytest.fixture
def benchmarks() -> dict[str, Benchmark]:
    return {name: Benchmark(name, "?", lambda options: {}, tables) for name in ("one", "two")}


def test_tables_of_the_latest_finished_run_stand_between_the_markers(
    tmp_path: Path, benchmarks: dict[str, Benchmark]
) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE)
    for n in (1, 2):
        record = Record.start(tmp_path, "one", "python -m benchmarks one")
        missing = {"network": "N", "engine": "theirs", "not_run": "not installed"}
        record.add("case", [{"network": "N", "engine": "ours", "n": n}, missing])
        record.document["started"] += str(n)  # both within one second
        record.finish()
    Record.start(tmp_path, "two", "broken off").add("case", [])
    docs_page.update(tmp_path, benchmarks, tmp_path)
    text = page.read_text()
    assert "| ours | 2 |" in text
    assert "| ours | 1 |" not in text
    assert "old" not in text
    assert "- theirs was not run: not installed" in text
    assert "`python -m benchmarks one`" in text
    assert "\nkept\n" in text
    assert "\nstays\n" in text
    docs_page.update(tmp_path, benchmarks, tmp_path)
    assert page.read_text() == text


def test_every_benchmark_has_its_place_in_the_docs() -> None:
    from benchmarks.__main__ import BENCHMARKS

    for name, benchmark in BENCHMARKS.items():
        text = (docs_page.DOCS / benchmark.page).read_text()
        assert f"<!-- begin {name} -->\n" in text
        assert f"<!-- end {name} -->\n" in text


def test_scaling_tables_split_by_axis_and_decode_counts_weights() -> None:
    figures = {key: {"dcz": 1.0, "eager": 3.0} for key in ("median", "p10", "p90", "least")}
    rows = [{"axis": "batch", "x": x, "what": "Net, ms a sample", **figures} for x in (1, 8)]
    rows += [{"axis": "threads", "x": 1, "what": "Net, ms a sample, batch 32", **figures}]
    rows += [
        {"axis": "decode", "what": "Net", "file_bytes": 10, "nonzero": 2_000_000, "seconds": 0.5, "least_seconds": 0.25}
    ]
    both = {key: {"1": 3.0, "2": 2.0} for key in ("median", "p10", "p90", "least")}
    rows += [{"axis": "sample", "what": "Net", "threads": 2, "gain": {"median": 1.5, "of_least": 1.6}, **both}]
    batch, threads, sample, decode = scaling.tables(rows)
    assert sample.rows == [("Net", "3 (3)", "2 (2)", "1.50", "1.60")]
    assert [row[0] for row in batch.rows] == ["1", "8"]
    assert batch.rows[0][-1] == "3.00"
    assert len(threads.rows) == 1
    assert decode.rows == [("Net", 10, 2_000_000, "500", "250", "8")]
