"""Range asymmetric numeral systems (J. Duda, arXiv 1311.2540): symbols as digits of one number, for static tables.

A symbol of frequency f whose interval begins at s takes a state x to ``(x // f << PRECISION) + s + x % f``; the decoder
goes back, so that the encoder begins with the last symbol. The state begins at 0 and has at most 32 bits: its lower two
bytes go to the stream before it would pass that, and come back where it falls below 2**16. A stream is the last state,
in four bytes, and the words. When the decoder has gone through it, its state is 0 and no word is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel

PRECISION = 12
"""Frequencies of an alphabet add up to ``1 << PRECISION``."""
TOTAL = 1 << PRECISION
WORD_BITS, STATE_BITS = 16, 32
WORD_BYTES, STATE_BYTES = WORD_BITS // 8, STATE_BITS // 8
FREQUENCY_SHIFT, START_SHIFT = 8, 20
"""Fields of an interval: ``symbol | frequency - 1 << FREQUENCY_SHIFT | start << START_SHIFT``, in 32 bits."""


@kernel
def _encode(intervals: NDArray[np.uint32], out: NDArray[np.uint8]) -> int:
    """Write a stream at the end of `out`; its place."""
    at, state = len(out), np.int64(0)
    for i in range(len(intervals) - 1, -1, -1):
        interval = np.int64(intervals[i])
        frequency = (interval >> FREQUENCY_SHIFT & (TOTAL - 1)) + 1
        if state >= frequency << STATE_BITS - PRECISION:
            at -= WORD_BYTES
            out[at], out[at + 1] = state >> 8 & 255, state & 255
            state >>= WORD_BITS
        state = (state // frequency << PRECISION) + (interval >> START_SHIFT) + state % frequency
    for _ in range(STATE_BYTES):
        at -= 1
        out[at] = state & 255
        state >>= 8
    return at


def encode_intervals(intervals: NDArray[np.uint32]) -> bytes:
    """Code a sequence of intervals into a stream of an even number of bytes, four or more.

    Parameters
    ----------
    intervals : ndarray of uint32, shape (n,)
    """
    out = np.empty(WORD_BYTES * len(intervals) + STATE_BYTES, np.uint8)
    return out[int(_encode(intervals, out)) :].tobytes()
