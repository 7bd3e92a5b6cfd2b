from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import dcz as package
from dcz.reporting import timing

Dcz = Callable[..., Any]


def test_a_page_is_written_beside_the_model(dcz: Dcz, small_container: Path, tmp_path: Path) -> None:
    model = tmp_path / "small.dcz"
    model.write_bytes(small_container.read_bytes())
    result = dcz("report", model)
    page = tmp_path / "small.html"
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{page}: {page.stat().st_size:,} bytes\n"
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "conv.<wbr>weight" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.dcz", "small.html"]


def test_against_a_checkpoint(dcz: Dcz, checkpoint: Path, tmp_path: Path) -> None:
    model, page = tmp_path / "lenet.dcz", tmp_path / "page.html"
    package.convert(checkpoint, model)
    assert dcz("report", model, "-o", page, "--against", checkpoint).code == 0
    assert page.read_text().count('class="behind"') == 3
    assert page.read_text().count("equal to the checkpoint") == 3

    state = torch.load(checkpoint, weights_only=True)
    next(tensor for tensor in state.values() if tensor.ndim == 2)[0, 0] += 0.5
    torch.save(state, tmp_path / "changed.pt")
    assert dcz("report", model, "-o", page, "--against", tmp_path / "changed.pt").code == 0
    assert page.read_text().count("equal to the checkpoint") == 2
    assert page.read_text().count("error at most 0.5") == 1


def test_times(dcz: Dcz, small_container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    page, times = tmp_path / "page.html", tmp_path / "times.json"
    assert dcz("report", small_container, "-o", page, "--time").code == 0
    assert "dense µs" in page.read_text(encoding="utf-8")

    times.write_text(dcz("bench", small_container, "--layers", "--json").out)
    assert dcz("report", small_container, "-o", page, "--bench", times).code == 0
    layers = json.loads(times.read_text())["layers"]
    assert all(f"{layer['us']:,.1f}" in page.read_text(encoding="utf-8") for layer in layers)


def test_errors_are_one_line_and_leave_the_old_page(
    fails: Callable[..., str], small_container: Path, tmp_path: Path
) -> None:
    page, other, damaged = (tmp_path / name for name in ("page.html", "other.pt", "damaged.dcz"))
    page.write_text("old")
    torch.save({"unknown": torch.ones(2, 2)}, other)
    damaged.write_bytes(small_container.read_bytes()[:-1])
    assert "missing.dcz" in fails("report", tmp_path / "missing.dcz", "-o", page)
    assert "cut short" in fails("report", damaged, "-o", page)
    assert "names and shapes" in fails("report", small_container, "-o", page, "--against", other)
    assert "dcz bench MODEL.dcz" in fails("report", small_container, "-o", page, "--bench", small_container)
    assert page.read_text() == "old"
    assert "missing" in fails("report", small_container, "-o", tmp_path / "missing" / "page.html")
    assert "not allowed with" in fails("report", small_container, "--time", "--bench", "x.json", code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.dcz", "other.pt", "page.html"]


def test_what_is_read_is_not_overwritten(fails: Callable[..., str], small_container: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.html"
    model.write_bytes(small_container.read_bytes())
    assert "take the place" in fails("report", model)
    assert "take the place" in fails("report", small_container, "-o", model, "--against", model)
    assert model.read_bytes() == small_container.read_bytes()


def test_it_needs_no_framework(small_container: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfor name in ('torch', 'sklearn', 'matplotlib', 'jinja2'): sys.modules[name] = None\n"
        "from dcz.cli import main\nsys.exit(main(['report', sys.argv[1], '-o', 'page.html']))"
    )
    done = subprocess.run([sys.executable, "-c", code, small_container], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "page.html").stat().st_size > 10_000
