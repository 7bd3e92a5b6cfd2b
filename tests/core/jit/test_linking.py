"""Machine code runs where it is linked, which Numba's package is not imported for."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from numba import _dynfunc, njit
from numpy.typing import NDArray

from dcz.core.jit import linking
from dcz.core.jit.linking import MachineCode, link
from dcz.core.jit.numba_adapter import compile_for


def checked_mean(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Uses Numba's runtime, C's library, an exception and a result that is a Python object."""
    if len(x) == 0:
        raise ValueError("nothing to take the mean of")
    logs = np.empty(len(x))
    for i in range(len(x)):
        logs[i] = math.log(x[i])
    return logs.mean(), logs


@pytest.fixture(scope="module")
def code() -> MachineCode:
    _, code = compile_for(njit(checked_mean), (np.ones(3),))
    assert code is not None
    return code


def test_linked_code_computes_and_raises_as_the_function(code: MachineCode) -> None:
    linked = link(code, checked_mean)
    assert linked is not None
    assert (linked.__name__, linked.__doc__) == (checked_mean.__name__, checked_mean.__doc__)
    x = np.arange(1.0, 9.0)
    mean, logs = linked(x)
    assert mean == pytest.approx(np.log(x).mean())
    assert logs.tolist() == pytest.approx(np.log(x).tolist())
    with pytest.raises(ValueError, match="nothing to take"):
        linked(np.ones(0))
    with pytest.raises(TypeError):
        linked(1)


def test_code_that_calls_what_is_not_there_is_not_linked(code: MachineCode) -> None:
    assert link(code._replace(calls=[*code.calls, "a_function_of_no_library"]), checked_mean) is None


def test_symbols_are_those_that_numba_gives_its_linker() -> None:
    symbols = dict(linking._symbols())
    assert {"NRT_Allocate", "numba_unpickle", "PyExc_OSError", "_Py_NoneStruct"} <= symbols.keys()
    assert all(symbols.values())
    assert linking._extension("_dynfunc").Environment is _dynfunc.Environment


def test_what_numba_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match="no extension module _unheard_of"):
        linking._extension("_unheard_of")
    monkeypatch.setattr(linking, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'numba'"):
        linking._extension("_other")


def test_numba_can_be_imported_later() -> None:
    code = """
import sys
from dcz.core.jit import linking
linking._engine()
assert "numba" not in sys.modules
import numpy, numba
print(numba.njit(lambda x: numpy.sort(x)[:2].sum())(numpy.arange(5.0)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1.0\n"), done.stderr
