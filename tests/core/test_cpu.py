from __future__ import annotations

import llvmlite.binding as llvm
import pytest
from numba import config

from dcz.core.cpu import has


def test_settings_of_numba_come_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: {"avx2": True, "avx512f": False})
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    assert (has("avx2"), has("avx512f"), has("unheard-of")) == (True, False, False)
    monkeypatch.setattr(config, "CPU_FEATURES", "+avx512f,-avx2")
    assert (has("avx2"), has("avx512f")) == (False, True)
