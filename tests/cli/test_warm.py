from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcz.cli import warm
from dcz.core.jit import COMPILATIONS
from dcz.dcformat import Graph, make_node, write
from dcz.runtime import Model

WARM = """
import sys
sys.stderr.isatty = lambda: True
from dcz.cli import main
sys.exit(main(["warm", *sys.argv[1:]]))
"""
USE = """
import sys
import numpy as np
import dcz
from dcz.core.jit import COMPILATIONS
for threads in (1, 2, 3):
    model = dcz.load(sys.argv[1], threads=threads)
    for samples in (1, 2, 4, 5, 16, 37):
        model(np.ones((samples, *model.input_shape), np.float32))
print(COMPILATIONS.kernels)
"""


@pytest.fixture(scope="module")
def large_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one layer, which is large enough for helpers."""
    path = tmp_path_factory.mktemp("warm") / "large.dcz"
    weight = np.random.default_rng(0).standard_normal((1024, 1024), np.float32)
    write(path, Graph((1024,), (make_node("linear", (0,), {"weight": "weight"}),), 1), {"weight": weight})
    return path


def test_a_warmed_model_compiles_nothing_more(large_layer: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)

    done = python(WARM, large_layer, large_layer)
    first, second, place = done.stdout.splitlines()
    files = list(tmp_path.glob("cache/*/*.code"))
    assert first.startswith(f"{large_layer}: {len(files)} kernels compiled in ")
    assert second == f"{large_layer}: 0 kernels compiled in 0.0 s"
    assert place == f"kept in {tmp_path / 'cache'}"
    notice, *progress = done.stderr.replace("\r", "\n").split("\n")
    assert notice == "dcz: compiling kernels, first run only"
    shown = [line.strip() for line in progress if line.strip()]
    assert shown[0].startswith("compiling kernel 1: ")
    assert shown[-1].startswith(f"compiling kernel {len(files)} of {len(files)}: ")
    assert python(USE, large_layer).stdout == "0\n"


def test_kernels_that_cannot_be_kept_are_an_error(
    fails: Callable[..., str], small_container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(model: Model) -> None:
        monkeypatch.setattr(COMPILATIONS, "unkept", COMPILATIONS.unkept + 1)

    monkeypatch.setattr(warm, "run_all_plans", lose)
    assert "set NUMBA_CACHE_DIR to a folder with room" in fails("warm", small_container)


def test_what_cannot_run_cannot_be_warmed(fails: Callable[..., str], tmp_path: Path) -> None:
    write(tmp_path / "w.dcz", None, {"w": np.ones((2, 2), np.float32)})
    assert "graph" in fails("warm", tmp_path / "w.dcz")
    assert "missing.dcz" in fails("warm", tmp_path / "missing.dcz")
