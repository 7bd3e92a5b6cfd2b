"""Bars on a terminal that writes down what is drawn, and silence everywhere else."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from types import ModuleType

import pytest

from dcz.core.progress import progress, progress_bar, status


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        """What the line shows where the cursor stands."""
        return self.getvalue().rstrip("\r").rpartition("\r")[2].strip()


@contextmanager
def stderr(file: io.StringIO | None, level: int = logging.INFO) -> Iterator[None]:
    """Let stderr be a file, and messages through as the command line does."""
    logger = logging.getLogger("dcz")
    before = logger.level
    logger.setLevel(level)
    with redirect_stderr(file):
        yield
    logger.setLevel(before)


def test_a_bar_counts_items_and_goes_away() -> None:
    terminal = Terminal()
    with stderr(terminal):
        assert list(progress(iter("abc"), "letter", 3, "reading")) == ["a", "b", "c"]
    assert "reading:   0%|" in terminal.getvalue()
    assert "| 0/3 [" in terminal.getvalue()
    assert terminal.line == ""


def test_a_notebook_has_bars_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    pipe = io.StringIO()
    with stderr(pipe), progress_bar(total=2) as bar:
        assert type(bar).__module__ == "tqdm.asyncio"  # what tqdm.auto is outside of notebooks
    assert "0/2" in pipe.getvalue()


def test_a_bar_of_steps() -> None:
    terminal = Terminal()
    with stderr(terminal), progress_bar(total=4, initial=1, unit="step", desc="training", mininterval=0) as bar:
        bar.update()
        assert terminal.line.startswith("training:  50%|")
    assert terminal.line == ""


def test_a_status_stands_while_it_lasts() -> None:
    terminal = Terminal()
    with stderr(terminal):
        with status("compiling kernel 2 of 7"):
            assert terminal.line == "compiling kernel 2 of 7"
        assert terminal.line == ""


def show_everything() -> None:
    assert list(progress([1, 2], "item", 2)) == [1, 2]
    with status("waiting"), progress_bar(total=1) as bar:
        bar.update()


def test_nothing_is_drawn_into_a_pipe_or_nowhere() -> None:
    pipe = io.StringIO()
    with stderr(pipe):
        show_everything()
    with stderr(None):
        show_everything()
    assert pipe.getvalue() == ""


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR], ids=["library", "quiet"])
def test_nothing_is_drawn_unless_messages_are_let_through(level: int) -> None:
    terminal = Terminal()
    with stderr(terminal, level):
        show_everything()
    assert terminal.getvalue() == ""


def test_silence_imports_no_bars() -> None:
    code = "from dcz.core.progress import progress, status; import sys; list(progress([1, 2], 'item', 2))\n"
    code += "with status('waiting'): print('tqdm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
