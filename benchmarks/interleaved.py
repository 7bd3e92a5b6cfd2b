"""Rounds of engines by turns, within limits and with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from tqdm import tqdm

from dcz.core.timing import Clock, Interleaved

LEAST_ROUNDS = 3
LONGEST_SECONDS = 90.0
"""Where a round takes long, no further one is begun after so many seconds; but there are `LEAST_ROUNDS`."""

FLUSH_BYTES = 96 << 20
"""More than a core's share of the last-level cache."""


def cache_flusher() -> Callable[[], object]:
    """Make a function that fills the caches with something else."""
    other = np.ones(FLUSH_BYTES, np.uint8)  # zeros that nobody wrote would all be one page, and stay in the cache
    return other.max


def cold_clock(run: Callable[[], object], timer: Callable[[], float]) -> Clock:
    """Clock of single runs with caches full of something else."""
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
    """Time engines by turns for about `seconds`.

    Parameters
    ----------
    clocks : mapping of str to Clock
    seconds, longest : float
        How long the rounds should last, and may last.
    """
    return run_rounds(Interleaved(clocks), seconds, longest)


def run_rounds(turns: Interleaved, seconds: float, longest: float = LONGEST_SECONDS) -> Interleaved:
    """Run rounds of engines that are ready, as `time_interleaved` does."""
    begun = time.perf_counter()
    for number in tqdm(range(turns.rounds(seconds)), desc="rounds", unit="round", leave=False, disable=None):
        if number >= LEAST_ROUNDS and time.perf_counter() - begun > longest:
            break
        turns.round()
    return turns
