"""Timing engines against each other: they take turns, so that a slow spell of the machine hits all of them.

A clock is a function from a number of runs to the seconds that so many runs take together. What it runs, and where, is
its own affair: a call in this process, kernels on a GPU between two events, a worker at the other end of a pipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

import numpy as np

Clock = Callable[[int], float]

TURN_SECONDS = 0.004
"""A turn repeats a run for about this long: enough for the clock and for warm caches, and short enough that on a busy
machine some turns run without interruption."""
MOST_REPEATS = 200


def clock_of(run: Callable[[], Any], timer: Callable[[], float] = time.perf_counter) -> Clock:
    """Clock of a function that is done when it returns.

    Parameters
    ----------
    run : callable
    timer : callable
        Tells the time in seconds. ``time.process_time`` leaves out what other processes took from this one: for one
        thread on a busy machine.
    """

    def clock(runs: int) -> float:
        start = timer()
        for _ in range(runs):
            run()
        return timer() - start

    return clock


class Interleaved:
    """Engines that run by turns.

    Each is first run three times: once to warm up, twice to find out how often a turn repeats it.

    Parameters
    ----------
    clocks : mapping of str to Clock
    turn_seconds : float
        About how long a turn lasts; one run if that is longer.

    Attributes
    ----------
    seconds : dict of str to list of float
        Seconds of one run, an entry a round, for each engine.
    """

    def __init__(self, clocks: Mapping[str, Clock], turn_seconds: float = TURN_SECONDS) -> None:
        self._clocks = dict(clocks)
        self._repeats: dict[str, int] = {}
        self._round_seconds = 0.0
        self.seconds: dict[str, list[float]] = {name: [] for name in clocks}
        for name, clock in clocks.items():
            clock(1)
            once = max(1e-9, min(clock(1), clock(1)))
            self._repeats[name] = max(1, min(MOST_REPEATS, ceil(turn_seconds / once)))
            self._round_seconds += once * (self._repeats[name] + 1)

    def rounds(self, budget: float, least: int = 5, most: int = 200) -> int:
        """How many rounds fit into `budget` seconds, but at least and at most so many."""
        return max(least, min(most, int(budget / max(1e-9, self._round_seconds))))

    def round(self) -> None:
        """Give each engine a turn; every round starts with another one, so that none always follows the same."""
        names = list(self._clocks)
        first = len(self.seconds[names[0]]) % len(names)
        for name in names[first:] + names[:first]:
            repeats = self._repeats[name]
            if repeats > 1:
                self._clocks[name](1)  # fills the caches again that the others used
            self.seconds[name].append(self._clocks[name](repeats) / repeats)


def milliseconds(seconds: list[float]) -> dict[str, float | int]:
    """Median, first and last decile and least of the rounds in milliseconds, and their number.

    The least is what the machine can do when nothing else runs; the deciles say how much else there was.
    """
    least, low, median, high = (1e3 * np.quantile(seconds, (0, 0.1, 0.5, 0.9))).tolist()
    return {"median_ms": median, "p10_ms": low, "p90_ms": high, "min_ms": least, "runs": len(seconds)}


def ratio(seconds: list[float], reference: list[float]) -> dict[str, float]:
    """How many times as long as the reference.

    Quantiles of the rounds' own ratios, so that noise which both had cancels; and the ratio of the least times.
    """
    low, median, high = np.quantile(np.array(seconds) / np.array(reference), (0.1, 0.5, 0.9)).tolist()
    return {"median": median, "p10": low, "p90": high, "of_least": min(seconds) / min(reference)}
