from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_calibration_is_reported_and_seeded(dcz: Callable, small_container: Path, pictures: Path) -> None:
    out = small_container.with_name("u8.dcz")
    done = dcz("calibrate", small_container, pictures, "-o", out, "--json", "--threads", 1)
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["path"], report["images"], report["ranges"], report["seed"]) == (str(out), 3, "mse", 0)
    written = out.read_bytes()
    lines = dcz("calibrate", small_container, pictures, "-o", out, "--threads", 1).out.splitlines()
    assert out.read_bytes() == written
    assert [line.split()[0] for line in lines[1:-2]] == [row["weight"] for row in report["layers"]]
    assert lines[-1].startswith(f"{out}: ranges of 3 images; on 3 of them an rms error of 0.0")


def test_a_budget_shows_each_layer(dcz: Callable, small_container: Path, pictures: Path) -> None:
    out = small_container.with_name("u8.dcz")
    done = dcz("calibrate", small_container, pictures, "-o", out, "--budget", 100, "--threads", 1)
    assert (done.code, done.err) == (0, "")
    header, *rows = done.out.split("\n\n")[0].splitlines()
    assert header.split("  ")[0] == "layer alone in integers"
    assert rows
    assert all(row.endswith("integers") for row in rows)


@pytest.mark.parametrize("rule", ["least", "p10"])
def test_a_bad_rule(fails: Callable, small_container: Path, pictures: Path, rule: str) -> None:
    out = small_container.with_name("out.dcz")
    line = fails("calibrate", small_container, pictures, "-o", out, "--ranges", rule)
    assert f"unknown rule for ranges (expected max, mse, or p90 to p100 as in p99.99, found {rule})" in line


def test_no_images(fails: Callable, small_container: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    line = fails("calibrate", small_container, tmp_path / "none", "-o", tmp_path / "o.dcz")
    assert f"{tmp_path / 'none'}: no image in this folder" in line


def test_the_result_may_not_be_an_image(fails: Callable, small_container: Path, pictures: Path) -> None:
    line = fails("calibrate", small_container, pictures, "-o", pictures / "b.png")
    assert "the result would take the place of what it is made of" in line


def test_u8_without_ranges_says_what_to_run(fails: Callable, small_container: Path, pictures: Path) -> None:
    for command in (["infer", small_container, pictures], ["bench", small_container]):
        line = fails(*command, "--precision", "u8")
        assert f"{small_container}: the container has no ranges for 8-bit integers; find them: dcz calibrate" in line
