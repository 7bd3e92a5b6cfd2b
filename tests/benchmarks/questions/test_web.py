"""Networks in a browser: what is measured there, and what the tables say of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.networks import Container
from benchmarks.questions import web
from benchmarks.suite import Options
from benchmarks.weights import NETWORKS

FIGURES = {"median_ms": 2.0, "min_ms": 1.0, "first_ms": 9.0, "bytes": 5000, "gzip_bytes": 4000, "error": 1e-7}
ROW = {"network": "N", "weights": "w", "browser": "Chromium 1", **FIGURES}


def find(path: Path) -> web.Find:
    return lambda name, options: Container(name, "Small", path, "random")


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
@pytest.mark.skipif(web.missing() is not None, reason=str(web.missing()))
def test_a_network_answers_in_a_browser(small_container: Path, tmp_path: Path) -> None:
    ours, theirs = web.measure(find(small_container), "small", Options(quick=True, seconds=0.0, peers=tmp_path))
    assert ours["problems"] == []
    assert ours["error"] < 1e-6
    assert 0 < ours["gzip_bytes"] < ours["bytes"]
    assert 0 < ours["min_ms"] <= ours["median_ms"]
    assert theirs["not_run"].endswith("python -m benchmarks.peers onnxruntime-web")


def test_without_a_browser_it_says_what_is_missing(small_container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "missing", lambda: "needs one")
    rows = web.measure(find(small_container), "small", Options())
    assert [row["not_run"] for row in rows] == ["needs one"] * 2
    assert web.tables(rows) == []


def test_cases_are_the_networks_that_were_named() -> None:
    mobile = ["tv:mobilenet_v2 dense", "tv:mobilenet_v2 pruned"]
    assert list(web.cases(Options(networks=tuple(NETWORKS)))) == ["resnet-20", *mobile]
    assert list(web.cases(Options(networks=("lenet-5",)))) == ["lenet-5"]


def test_tables_compare_and_slow_pruned_networks_are_a_problem() -> None:
    ours = {**ROW, "engine": "dcz", "ratio": {"median": 1, "of_least": 1}}
    theirs = {**ROW, "engine": "onnxruntime-web", "ratio": {"median": 1.5, "of_least": 1.25}}
    (table,) = web.tables([ours, theirs, {"network": "N", "engine": "other", "not_run": "why"}])
    assert table.title.endswith("Chromium 1")
    assert table.rows[1] == ("N", "onnxruntime-web", 5, 4, "9", "2 (1)", "1.50 (1.25)", "1e-07")
    assert web.problems(ours) == []
    assert web.problems(theirs) == ["N: onnxruntime-web takes 1.50 times as long, less than 2.0"]
    assert web.problems({**theirs, "network": "N, dense"}) == []
    assert web.problems({**ours, "error": 0.5}) == ["N: dcz's answers differ by 0.5"]
