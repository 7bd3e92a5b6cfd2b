"""Archives and linkers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dcz.aot import linking
from dcz.aot.linking import archive, link, linker
from dcz.aot.targets import TARGETS, find_target
from dcz.core.errors import InputError


@pytest.mark.skipif(shutil.which("ar") is None, reason="needs binutils")
@pytest.mark.parametrize("content", [b"odd", b"even"])
def test_an_archive_is_read_by_the_system(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.a").write_bytes(archive("model.o", content, ["one", "three"]))
    shown = subprocess.run(["ar", "p", tmp_path / "x.a", "model.o"], capture_output=True, check=True)
    assert shown.stdout == content
    index = subprocess.run(["nm", "--print-armap", tmp_path / "x.a"], capture_output=True, text=True, check=False)
    assert "one in model.o\nthree in model.o" in index.stdout


def test_the_linker_is_the_one_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    native, other = find_target("native"), TARGETS["riscv64"]
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(linking.shutil, "which", {"cc": "/bin/cc"}.get)
    monkeypatch.setattr(linking.importlib.util, "find_spec", lambda name: name)
    zig = [sys.executable, "-m", "ziglang", "cc"]
    assert linker(native) == ["/bin/cc"]
    assert linker(other) == [*zig, "-target", "riscv64-linux-gnu"]
    monkeypatch.setattr(linking.shutil, "which", lambda name: None)
    assert linker(native) == zig
    monkeypatch.setattr(linking.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"no linker was found .*a C compiler .cc. or the package ziglang"):
        linker(native)
    with pytest.raises(InputError, match=r"riscv64, expected the package ziglang.; pip install 'dcz\[compile\]'"):
        linker(other)
    monkeypatch.setenv("CC", "my-cc --flag")
    assert linker(other) == ["my-cc", "--flag"]


def test_what_the_linker_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{sys.executable} -c 'raise SystemExit(\"no such thing\")'")
    with pytest.raises(InputError, match=r"linking failed .*found no such thing.; write an object file"):
        link(b"", find_target("native"), [])
