"""Answers that stdout cannot encode, and messages that stderr does not take."""

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

from dcz.cli import main
from dcz.dcformat import Graph, make_node, write

LABELS = ["Hündin", "猫", "🐈 cat", "plain"]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Answers whose labels and path are not ASCII."""
    node = make_node("linear", (0,), {"weight": "w"})
    write(tmp_path / "m.dcz", Graph((4,), (node,), 1), {"w": np.eye(4, dtype=np.float32)}, labels=LABELS)
    np.save(tmp_path / "é.npy", np.array([4, 3, 2, 1], np.float32))
    return ["infer", str(tmp_path / "m.dcz"), str(tmp_path / "é.npy")]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command on a stdout of some encoding; gives what it wrote."""

    def run(command: list[str], encoding: str) -> str:
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            assert main(command) == 0
        assert stream.errors == "strict", "as it was"
        written: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
        return written.decode(encoding)

    return run


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_no_answer_is_lost_to_an_encoding(command: list[str], shown: Callable[..., str], encoding: str) -> None:
    answers = json.loads(shown([*command, "--json"], encoding))
    assert [p["label"] for p in answers[0]["predictions"]] == LABELS
    assert answers[0]["path"] == command[-1]
    rows = list(csv.DictReader(io.StringIO(shown([*command, "--csv"], encoding))))
    text = shown(command, encoding)
    for row, label in zip(rows, LABELS, strict=True):
        assert json.loads(f'"{row["label"]}"') == label, "escaped as in JSON, if at all"
        assert row["label"] in text


def test_what_can_be_encoded_is_not_escaped(command: list[str], shown: Callable[..., str]) -> None:
    assert "\\" not in shown(command, "utf-8")
    assert "Hündin" in shown(command, "latin-1")


class Broken(io.StringIO):
    """A stderr that is full, or whose reader has gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def isatty(self) -> bool:
        return True  # for the progress bar


@pytest.mark.parametrize("stream", [None, Broken()], ids=["closed", "broken"])
def test_no_answer_is_lost_to_stderr(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    assert main(command) == 0
    expected = capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        assert (main([*command, "-v"]), main(["infer", "missing.dcz", command[-1]])) == (0, 1)
    assert capsys.readouterr().out == expected


def test_a_process_without_stderr(command: list[str]) -> None:
    line = 'exec "$0" -m dcz "$@" -v 2>&-'
    done = subprocess.run(["sh", "-c", line, sys.executable, *command], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"plain" in done.stdout
