from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Dcz = Callable[..., Any]

COMPLETE = """
source {script}
COMP_WORDS=({words} "{last}") COMP_CWORD={count}
_shtab_dcz
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def completions(dcz: Dcz, tmp_path: Path) -> Callable[..., list[str]]:
    pytest.importorskip("shtab")
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    (tmp_path / "script").write_text(dcz("completion", "bash").out)
    (tmp_path / "net.dcz").touch()

    def complete(*words: str) -> list[str]:
        *before, last = words
        program = COMPLETE.format(script=tmp_path / "script", words=" ".join(before), last=last, count=len(before))
        done = subprocess.run(["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return complete


def test_bash_completes_commands_flags_choices_and_files(completions: Callable[..., list[str]]) -> None:
    assert set(completions("dcz", "co")) == {"compile", "completion", "compress", "convert"}
    assert "--input-shape" in completions("dcz", "compress", "--in")
    assert completions("dcz", "completion", "z") == ["zsh"]
    assert "net.dcz" in completions("dcz", "info", "n")


def test_without_shtab_the_error_names_it(dcz: Dcz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    result = dcz("completion", "zsh")
    assert (result.code, result.err) == (1, "dcz: error: shtab is not installed; pip install 'dcz[completion]'\n")
