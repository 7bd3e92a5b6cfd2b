from __future__ import annotations

from pathlib import Path

import llvmlite.binding as llvm
import pytest

from dcz.core.cpu import has, target
from dcz.core.numba_settings import code_settings, cpu_features

SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_settings_of_numba_come_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: {"avx2": True, "avx512f": False})
    assert (has("avx2"), has("avx512f"), has("unheard-of")) == (True, False, False)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx512f,-avx2")
    assert (has("avx2"), has("avx512f")) == (False, True)


def test_a_generic_processor_has_no_features(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu_features() is None
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert cpu_features() == ""
    assert not has("avx2")


def test_each_setting_that_changes_code_tells_targets_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = [code_settings()]
    for name in SETTINGS:
        monkeypatch.setenv(name, "0")
        found.append(code_settings())
    (tmp_path / ".numba_config.yaml").write_text("cpu_name: generic")
    found.append(code_settings())
    assert len(set(found)) == len(found)
    assert target()[1] == llvm.get_host_cpu_name()
