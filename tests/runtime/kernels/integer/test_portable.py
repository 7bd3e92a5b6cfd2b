"""Kernels on bytes on processors without AVX-512: the same sources, compiled for others in a process of their own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import integer_cases
from dcz.core.cpu import BYTE_DOTS, PACKS, WORDS
assert (BYTE_DOTS, WORDS, PACKS) == (False, False, {packs})
for steep in (False, True):
    integer_cases.check(integer_cases.IntegerCase(channels=(5, 3), size=(5, 6), batch=1, steep=steep), parts=1)
from dcz.runtime.kernels.integer.sparse import conv_bytes_sparse
assembly = "".join(conv_bytes_sparse.dispatcher.inspect_asm().values())
assert "pmaddwd" in assembly and "vpdpbusd" not in assembly
import word_cases
word_cases.check(word_cases.ConvCase(channels=(6, 5), padding=(1, 1)))
word_cases.check_dense(word_cases.ConvCase(channels=(7, 5), kernel=(1, 1)), (2, 16, 1))
word_cases.check_winograd(word_cases.ConvCase(size=(9, 9), channels=(3, 5), batch=1), (2, 1))
word_cases.check_strips(word_cases.ConvCase(size=(9, 9), channels=(2, 3), batch=1), (2, 2))
from dcz.runtime.kernels.words.sparse import conv_words_sparse
assembly = "".join(conv_words_sparse.dispatcher.inspect_asm().values())
assert "pmaddwd" in assembly and "vpdpwssd" not in assembly
assert "packssdw" in assembly or not {packs}
print("done")
"""
PROCESSORS = {
    "AVX2": ("haswell", "+avx2,+avx,+fma,+bmi,+bmi2,+sse4.2,+popcnt", True),
    "SSE": ("nehalem", "+sse4.2,+popcnt", False),
}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="forces an x86 processor")
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
@pytest.mark.parametrize("name", PROCESSORS)
def test_without_avx512(name: str, tmp_path: Path) -> None:
    processor, features, packs = PROCESSORS[name]
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),  # machine code from a cache has no assembly to look at
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))),
    }
    command = [sys.executable, "-c", CASES.format(packs=packs)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/")
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.strip() == "done"
