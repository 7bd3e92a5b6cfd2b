"""Interleaved timing: engines run in turn, so that a slow phase of the machine affects all of them.

A clock is a function: it takes a number of runs and returns the seconds that they take together. It may run a function
in this process, kernels on a GPU between two events, or a worker at the other end of a pipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

import numpy as np

Clock = Callable[[int], float]

TURN_SECONDS = 0.004
"""Approximate duration of a turn, which repeats short runs. It is long enough for the clock and for warm caches, and
short enough that on a busy machine some turns are not interrupted."""
MOST_REPEATS = 200


def clock_of(run: Callable[[], Any], timer: Callable[[], float] = time.perf_counter) -> Clock:
    """Clock of a function that has finished its work when it returns.

    Parameters
    ----------
    run : callable
    timer : callable
        Returns the time in seconds. ``time.process_time`` excludes the time of other processes: for one thread on a
        busy machine.
    """

    def clock(runs: int) -> float:
        start = timer()
        for _ in range(runs):
            run()
        return timer() - start

    return clock


class Interleaved:
    """Interleaved runs of several engines.

    Each engine first runs three times: once to warm up, twice to determine the repetitions of a turn.

    Parameters
    ----------
    clocks : mapping of str to Clock
    turn_seconds : float
        Approximate duration of a turn; at least one run.

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
        """Number of rounds that fit into `budget` seconds, limited to the range from `least` to `most`."""
        return max(least, min(most, int(budget / max(1e-9, self._round_seconds))))

    def round(self) -> None:
        """Run one turn of each engine. Each round starts with another engine, so the order varies."""
        names = list(self._clocks)
        first = len(self.seconds[names[0]]) % len(names)
        for name in names[first:] + names[:first]:
            repeats = self._repeats[name]
            if repeats > 1:
                self._clocks[name](1)  # refills the caches that the other engines used
            self.seconds[name].append(self._clocks[name](repeats) / repeats)


def milliseconds(seconds: list[float]) -> dict[str, float | int]:
    """Median, first and last decile and minimum of the rounds in milliseconds, and their number.

    The minimum is the time on an idle machine; the deciles show how busy it was.
    """
    least, low, median, high = (1e3 * np.quantile(seconds, (0, 0.1, 0.5, 0.9))).tolist()
    return {"median_ms": median, "p10_ms": low, "p90_ms": high, "min_ms": least, "runs": len(seconds)}


def ratio(seconds: list[float], reference: list[float]) -> dict[str, float]:
    """Ratio to the reference.

    Quantiles of the ratios of single rounds, in which noise common to both cancels; and the ratio of the minima.
    """
    low, median, high = np.quantile(np.array(seconds) / np.array(reference), (0.1, 0.5, 0.9)).tolist()
    return {"median": median, "p10": low, "p90": high, "of_least": min(seconds) / min(reference)}
