"""Compiled models from Python, without Numba."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled_models import Compiled

import dcz
from dcz.aot.native import NativeModel
from dcz.core.errors import InputError

ALONE = """
import sys
import numpy as np
from dcz.aot.native import load
np.save(sys.argv[2], load(sys.argv[1])(np.ones((3, 1, 8, 8), np.float32)))
print(sorted({"numba", "llvmlite", "PIL"} & set(sys.modules)))
"""


def test_it_runs_without_numba(small: Compiled, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALONE, small.library, tmp_path / "y.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    model = dcz.load(small.container)
    single = np.vstack([model(np.ones((1, 1, 8, 8), np.float32))] * 3)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), single)


def test_it_says_what_it_is(small: Compiled) -> None:
    native = small.load()
    assert repr(native) == "<dcz.NativeModel 'small': {'input': (1, 8, 8)} -> {'output': (3,)}>"
    assert (native.batch, native.labels) == (1, ["cat", "dog", "owl"])
    assert native(np.empty((0, 1, 8, 8))).shape == (0, 3)


def test_wrong_calls_are_refused(small: Compiled, several: Compiled) -> None:
    with pytest.raises(InputError, match=r"wrong shape .*expected .N, 1, 8, 8., found .1, 8, 8."):
        small.load()(np.zeros((1, 8, 8)))
    with pytest.raises(InputError, match=r"another number of inputs .expected 2 .word ids, bias., found 1"):
        several.load()(np.zeros((1, 3)))
    with pytest.raises(InputError, match=r"other names .expected word ids, bias, found 'bias'"):
        several.load()({"bias": np.zeros((1, 3, 4))})
    with pytest.raises(InputError, match="wrong shape"):
        several.load()(np.zeros((2, 3)), np.zeros((1, 3, 4)))


def test_other_libraries_are_refused(small: Compiled) -> None:
    with pytest.raises(InputError, match=r"not a compiled model .found no net_run in it.; give the prefix"):
        NativeModel(small.library, prefix="net_")
    with pytest.raises(OSError, match=r"header|cannot open|invalid"):
        NativeModel(small.header)
