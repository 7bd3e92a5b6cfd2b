"""A compiled program as a built-in function: it answers for plain samples, and refuses all else."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import numpy as np
import pytest

import dcz
from dcz.core.readahead import Content
from dcz.runtime.compiled import builtin
from dcz.runtime.compiled.find import find

SAMPLE = np.random.default_rng(0).standard_normal((1, 40)).astype(np.float32)


class Other(np.ndarray):
    """A subclass, which may mean something else."""


@pytest.fixture
def answer(network: Path) -> Callable[..., Any]:
    programs = find(Content(network), "fp32")
    assert programs is not None
    made = builtin.builtin(programs.single)
    if made is None:
        pytest.skip("this Python has other objects")
    return made


def context(answer: Callable[..., Any]) -> builtin.Context:
    """The context behind the arena of a function."""
    room = answer.__self__  # type: ignore[attr-defined]
    return builtin.Context.from_address(room.ctypes.data + room.nbytes - ctypes.sizeof(builtin.Context))


def test_a_plain_sample_is_answered_in_an_array_of_its_own(answer: Callable[..., Any]) -> None:
    frozen = SAMPLE.copy()
    frozen.flags.writeable = False
    first, second = answer(SAMPLE), answer(-frozen)
    np.testing.assert_array_equal(first, np.maximum(SAMPLE, 0))
    np.testing.assert_array_equal(second, np.maximum(-SAMPLE, 0))
    assert (first.shape, first.dtype, first.flags.owndata, first.flags.writeable) == ((1, 40), np.float32, True, True)
    assert sys.getrefcount(first) == 2


@pytest.mark.parametrize(
    "given",
    [
        (),
        (SAMPLE, SAMPLE),
        (None,),
        (SAMPLE.tolist(),),
        ({"input": SAMPLE},),
        (SAMPLE.astype(np.float64),),
        (SAMPLE.astype(">f4"),),
        (SAMPLE.view(np.int32),),
        (SAMPLE[0],),
        (SAMPLE[None],),
        (SAMPLE[:, :39],),
        (SAMPLE[:0],),
        (np.concatenate([SAMPLE, SAMPLE]),),
        (SAMPLE[:, ::-1],),
        (SAMPLE.view(Other),),
        (np.frombuffer(b"x" + SAMPLE.tobytes(), np.uint8)[1:].view(np.float32).reshape(1, 40),),
    ],
)
def test_all_else_is_refused(answer: Callable[..., Any], given: tuple[Any, ...]) -> None:
    before = sys.getrefcount(None)
    assert [answer(*given) for _ in range(100)] == [None] * 100
    assert sys.getrefcount(None) >= before


def test_a_second_thread_in_it_is_refused(answer: Callable[..., Any]) -> None:
    context(answer).busy = 1
    assert answer(SAMPLE) is None
    context(answer).busy = 0
    assert answer(SAMPLE) is not None
    assert context(answer).busy == 0


def test_threads_that_share_a_model(network: Path) -> None:
    model = dcz.load(network, threads=1)
    assert type(model._single) is BuiltinFunctionType
    samples = [np.full((1, 40), i, np.float32) for i in range(200)]
    with ThreadPoolExecutor(4) as pool:
        for sample, made in zip(samples, pool.map(model, samples), strict=True):
            np.testing.assert_array_equal(made, sample)


def test_without_memory_for_the_answer_it_can_be_called_again(answer: Callable[..., Any]) -> None:
    state = context(answer)
    new, state.new = state.new, ctypes.cast(ctypes.pythonapi.PyErr_NoMemory, ctypes.c_void_p).value
    with pytest.raises(MemoryError):
        answer(SAMPLE)
    state.new = new
    np.testing.assert_array_equal(answer(SAMPLE), np.maximum(SAMPLE, 0))


def test_another_python_goes_the_way_through_python(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "_is_known", lambda: False)
    model = dcz.load(network, threads=1)
    assert type(model._single) is not BuiltinFunctionType
    np.testing.assert_array_equal(model(SAMPLE), np.maximum(SAMPLE, 0))


def test_arrays_lie_in_memory_as_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert builtin._is_known() == builtin._is_known.__wrapped__()
    monkeypatch.setattr(builtin, "DATA", 24)
    assert not builtin._is_known.__wrapped__()
