"""Interleaved rounds of engines, within time limits and with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from tqdm import tqdm

from dcz.core.timing import Clock, Interleaved

LEAST_ROUNDS = 3
LONGEST_SECONDS = 90.0
"""Seconds after which no further round begins, except to reach `LEAST_ROUNDS`."""

FLUSH_BYTES = 96 << 20
"""More than a core's share of the last-level cache."""


def cache_flusher() -> Callable[[], object]:
    """Make a function that fills the caches with other data."""
    other = np.ones(FLUSH_BYTES, np.uint8)  # unwritten zeros would share one page, which stays in the cache
    return other.max


def cold_clock(run: Callable[[], object], timer: Callable[[], float]) -> Clock:
    """Clock of single runs with cold caches."""
    flush = cache_flusher()

    def clock(runs: int) -> float:
        spent = 0.0
        for _ in range(runs):
            flush()
            start = timer()
            run()
            spent += timer() - start
        return spent

    return clock


def time_interleaved(clocks: Mapping[str, Clock], seconds: float, longest: float = LONGEST_SECONDS) -> Interleaved:
    """Time engines, interleaved, for about `seconds`.

    Parameters
    ----------
    clocks : mapping of str to Clock
    seconds, longest : float
        Intended and greatest duration of all rounds.
    """
    return run_rounds(Interleaved(clocks), seconds, longest)


def run_rounds(turns: Interleaved, seconds: float, longest: float = LONGEST_SECONDS) -> Interleaved:
    """Run rounds of prepared engines, like `time_interleaved`."""
    begun = time.perf_counter()
    for number in tqdm(range(turns.rounds(seconds)), desc="rounds", unit="round", leave=False, disable=None):
        if number >= LEAST_ROUNDS and time.perf_counter() - begun > longest:
            break
        turns.round()
    return turns
