from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest

from dcz.core.jit import COMPILATIONS, Kernel, compilations, compiled, make_ready


def test_kinds_tell_types_apart_and_nothing_else() -> None:
    total = compiled(lambda x: x.sum(), tuple)
    square = np.ones((3, 3))
    frozen = np.ones(3)
    frozen.flags.writeable = False
    different = [np.ones(3), np.ones(3, np.float32), square, np.ones((4, 4))[:3, :3], np.asfortranarray(square), frozen]
    assert len({total.code(x) for x in different}) == len(different)
    assert total.code(np.ones(3)) is total.code(np.ones(5)) is total.code(np.ones(6)[1:3])
    first = compiled(lambda values: values[0], tuple)
    assert [first((1, 2)), first((True, 2.5)), first((1,)), first((np.float32(0.5), 1))] == [1, True, 1, 0.5]


def test_what_several_calls_need_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def status(text: str) -> AbstractContextManager[None]:
        shown.append(text)
        return nullcontext()

    monkeypatch.setattr(compilations, "status", status)
    scale = 2.0  # kernels with a closure are never kept: here each has to be compiled
    double, square = compiled(lambda x: x * scale, tuple), compiled(lambda x: x * x + scale, tuple)
    before = COMPILATIONS.kernels
    double(1.0)
    make_ready([(double, (2.0,)), (square, (2.0,)), (square, (3.0,)), (double, (2,)), (print, ("no kernel",))])
    assert [text.rpartition(":")[0] for text in shown] == [
        f"compiling kernel {before + 1}",
        f"compiling kernel {before + 2} of {before + 3}",
        f"compiling kernel {before + 3} of {before + 3}",
    ]
    assert COMPILATIONS.kernels == before + 3
    assert square(3.0) == 11.0
    assert COMPILATIONS.kernels == before + 3


def test_a_kernel_looks_like_its_function() -> None:
    def twice(x: float) -> float:
        """Double."""
        return 2 * x

    kernel = compiled(twice, tuple)
    assert isinstance(kernel, Kernel)
    assert (kernel.__name__, kernel.__doc__) == ("twice", "Double.")  # type: ignore[attr-defined]
