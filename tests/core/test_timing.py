"""Interleaved with clocks that lie about time, so that what they report is known."""

from __future__ import annotations

import pytest

from dcz.core.timing import MOST_REPEATS, Interleaved, clock_of, milliseconds, ratio


class FakeClock:
    """Takes `seconds` a run, and writes down how it was called."""

    def __init__(self, name: str, seconds: float, log: list[tuple[str, int]]) -> None:
        self.name, self.seconds, self.log = name, seconds, log

    def __call__(self, runs: int) -> float:
        self.log.append((self.name, runs))
        return runs * self.seconds


def fakes(**seconds: float) -> tuple[dict[str, FakeClock], list[tuple[str, int]]]:
    log: list[tuple[str, int]] = []
    return {name: FakeClock(name, each, log) for name, each in seconds.items()}, log


def test_a_short_run_is_repeated_and_counted_once() -> None:
    clocks, log = fakes(fast=0.001, slow=0.5)
    turns = Interleaved(clocks, turn_seconds=0.01)
    del log[:]
    turns.round()
    assert log == [("fast", 1), ("fast", 10), ("slow", 1)]
    assert turns.seconds == {"fast": [pytest.approx(0.001)], "slow": [0.5]}


def test_every_round_starts_with_another_engine() -> None:
    clocks, log = fakes(a=1.0, b=1.0, c=1.0)
    turns = Interleaved(clocks)
    del log[:]
    for _ in range(3):
        turns.round()
    assert "".join(name for name, _ in log) == "abcbcacab"


def test_repeats_have_a_limit() -> None:
    clocks, log = fakes(instant=0.0)
    Interleaved(clocks).round()
    assert log[-1] == ("instant", MOST_REPEATS)


def test_rounds_fit_the_budget() -> None:
    clocks, _ = fakes(a=0.1, b=0.3)  # a round with warm-ups takes 0.8 s
    turns = Interleaved(clocks)
    assert turns.rounds(8.0, least=1) == 10
    assert turns.rounds(0.1) == 5
    assert turns.rounds(1e9, most=7) == 7


def test_quantiles() -> None:
    seconds = [0.001 * i for i in range(1, 12)]
    found = milliseconds(seconds)
    assert found == pytest.approx({"median_ms": 6, "p10_ms": 2, "p90_ms": 10, "min_ms": 1, "runs": 11})


def test_a_ratio_is_that_of_the_rounds() -> None:
    reference = [1.0, 10.0, 2.0]
    found = ratio([3.0, 30.0, 6.0], reference)  # three times as long in each round, whatever the noise
    assert found == pytest.approx({"median": 3, "p10": 3, "p90": 3, "of_least": 3})


def test_a_clock_runs_as_often_as_it_is_told_and_reads_its_timer() -> None:
    times = iter([10.0, 12.5])
    count = []
    assert clock_of(lambda: count.append(1), timer=lambda: next(times))(4) == 2.5
    assert len(count) == 4
