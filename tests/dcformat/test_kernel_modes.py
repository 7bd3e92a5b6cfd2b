"""The kernels' tests once more, as plain Python and with bounds checked: compiled code would not tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
TESTS = [f"coding/test_{name}.py" for name in ("bits", "huffman_decode", "lanes", "relative_index")]


@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_kernels(mode: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "kernel"]
    # A cache of its own: one that was filled without checks would be used again.
    environment = {**os.environ, mode: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [*command, *(str(FOLDER / name) for name in TESTS)],
        env=environment, cwd=FOLDER.parents[1], capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
