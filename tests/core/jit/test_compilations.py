from __future__ import annotations

import logging

import pytest

from dcz.core.jit import Compilations


def test_the_first_compilation_is_told_before_it_starts_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    account = Compilations()
    with caplog.at_level(logging.INFO, "dcz"):
        for _ in range(2):
            with account.one("kernel"):
                assert caplog.messages == ["compiling kernels, first run only"]


def test_kernels_and_seconds_are_counted() -> None:
    account, seconds = Compilations(), [0.0]
    for number in (1, 2):
        with account.one("kernel"):
            pass
        assert account.kernels == number
        assert account.seconds > seconds[-1]
        seconds.append(account.seconds)


def test_what_fails_to_compile_does_not_count() -> None:
    account = Compilations()
    with pytest.raises(TypeError), account.expected(3), account.one("kernel"):
        raise TypeError
    assert (account.kernels, account.seconds) == (0, 0.0)
