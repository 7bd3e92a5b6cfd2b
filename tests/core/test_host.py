"""The processor as the system names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dcz.core import host

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\ncpu MHz\t\t: {}\nflags\t\t: fpu {}\n\nprocessor\t: 1\n"


@pytest.fixture
def info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(host, "_INFO", str(tmp_path / "cpuinfo"))
    host.host.cache_clear()
    yield tmp_path / "cpuinfo"
    host.host.cache_clear()


def told(info: Path, text: str) -> tuple[str, ...] | None:
    info.write_text(text)
    host.host.cache_clear()
    return host.host()


def test_instructions_count_and_speed_does_not(info: Path) -> None:
    first = told(info, X86.format(2000, "avx2"))
    assert first is not None
    assert "flags: fpu avx2" in first
    assert told(info, X86.format(3000, "avx2")) == first
    assert told(info, X86.format(2000, "avx2 avx512f")) != first


def test_a_system_that_does_not_say(info: Path) -> None:
    assert host.host() is None
    assert told(info, "processor: 0\nBogoMIPS: 12\n") is None
