from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import dcz as package
from dcz import verification
from dcz.cli import demo


def test_demo_reads_its_digits_and_agrees_with_torch(dcz: Callable, tmp_path: Path) -> None:
    result = dcz("demo", "-o", tmp_path)
    assert result.code == 0
    (right,) = re.findall(r"(\d+) of 10 right", result.out)
    assert int(right) >= 9
    assert "tensors equal bit for bit" in result.out
    (container,) = tmp_path.iterdir()
    with package.open(container) as opened:
        assert opened.info()["ratio"] > 20


def test_demo_fails_where_an_answer_is_not_torchs(
    dcz: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "TOLERANCE", -1.0)
    result = dcz("demo", "-o", tmp_path)
    assert result.code == 1
    assert "answers differ" in result.out


def test_demo_leaves_nothing_behind(dcz: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    assert dcz("demo").code == 0
    assert not list(tmp_path.iterdir())
