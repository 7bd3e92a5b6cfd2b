from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcz.cli import warm
from dcz.core.jit import COMPILATIONS
from dcz.dcformat import Graph, make_node, write
from dcz.runtime.network import Network

Dcz = Callable[..., Any]

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

ANSWER = """
import sys
import numpy as np
import dcz
models = [dcz.load(sys.argv[1], threads=threads) for threads in (1, 2, 3)]
batch = np.random.default_rng(1).standard_normal((37, *models[0].input_shape)).astype(np.float32)
answers = [model(batch[:samples]) for model in models for samples in (1, 1, 4, 16, 37)]
np.save(sys.argv[2], np.concatenate(answers))
models[0].rank(answers[0])
models[0].noise(1)
print(*{"numba", "llvmlite", "PIL"} & set(sys.modules))
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

    done = python(WARM, large_layer, large_layer, "--threads", 2)
    first, second, place = done.stdout.splitlines()
    files = list(tmp_path.glob("cache/*/*.code"))
    programs = sum(path.stat().st_size for path in tmp_path.glob("cache/programs/*.program"))
    assert first.startswith(f"{large_layer}: {len(files)} kernels compiled in ")
    told = f"; programs of {programs:,} bytes" if programs else ""
    assert first.endswith(f" s{told}")
    assert second == f"{large_layer}: 0 kernels compiled in 0.0 s{told}"
    assert place == f"kept in {tmp_path / 'cache'}"
    notice, *progress = done.stderr.replace("\r", "\n").split("\n")
    assert notice == "dcz: compiling kernels, first run only"
    shown = [line.strip() for line in progress if line.strip()]
    assert shown[0].startswith("compiling kernel 1: ")
    assert shown[-1].startswith(f"compiling kernel {len(files)}: ")
    assert python(USE, large_layer).stdout == "0\n"
    if not programs:
        pytest.skip("there is no C compiler to link with")
    assert python(ANSWER, large_layer, "compiled.npy").stdout == "\n", "imported although a program was there"
    environment["DCZ_PROGRAMS"] = "0"
    assert python(ANSWER, large_layer, "planned.npy").stdout == "llvmlite\n", "Numba was imported to link kernels"
    np.testing.assert_array_equal(np.load(tmp_path / "compiled.npy"), np.load(tmp_path / "planned.npy"))


def test_kernels_that_cannot_be_kept_are_an_error(
    fails: Callable[..., str], small_container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(network: Network) -> None:
        monkeypatch.setattr(COMPILATIONS, "unkept", COMPILATIONS.unkept + 1)

    monkeypatch.setattr(warm, "compile_kernels", lose)
    assert "set NUMBA_CACHE_DIR to a folder with room" in fails("warm", small_container)


def test_without_a_linker_kernels_are_compiled_and_a_warning_says_so(
    dcz: Dcz, small_container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCZ_PROGRAMS", "0")
    done = dcz("warm", small_container)
    assert "dcz: kernels are compiled, whole models are not: compiled programs are not used here" in done.err
    assert "programs" not in done.out


def test_models_or_clear(dcz: Dcz, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("dcz.aot.programs.folders", lambda: [str(tmp_path)])
    (tmp_path / "one.program").write_bytes(b"")
    assert dcz("warm", "--clear").out.startswith("1 program removed\n")
    done = dcz("warm")
    assert done.code == 2
    assert "the following arguments are required: MODEL.dcz;" in done.err


def test_what_cannot_run_cannot_be_warmed(fails: Callable[..., str], tmp_path: Path) -> None:
    write(tmp_path / "w.dcz", None, {"w": np.ones((2, 2), np.float32)})
    assert "graph" in fails("warm", tmp_path / "w.dcz")
    assert "missing.dcz" in fails("warm", tmp_path / "missing.dcz")
