"""Range asymmetric numeral systems (J. Duda, arXiv 1311.2540): symbols as digits of numbers, for static tables.

A symbol of frequency f whose interval begins at s takes a state x to ``(x // f << PRECISION) + s + x % f``; the decoder
goes back, so that the encoder begins with the last symbol. Several states, the *lanes*, take symbols in turn: the
decoder does not wait for one before it goes on with the next. In a *round* a lane has up to two symbols. A state has
64 bits; the encoder moves its lower four bytes to the stream where a round would take it beyond that, and the decoder
moves a word back where it is below `LEAST` after a round. A stream is the last states and the words. Each lane begins,
and the decoder ends, with `LEAST`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel

PRECISION = 12
"""Frequencies of an alphabet add up to ``1 << PRECISION``."""
TOTAL = 1 << PRECISION
WORD_BITS, STATE_BITS = 32, 64
WORD_BYTES, STATE_BYTES = WORD_BITS // 8, STATE_BITS // 8
LEAST = 1 << WORD_BITS
"""Least state after a round."""
ROUND = 2
"""Most symbols of a lane in a round."""
ROUNDS = 1 << 16
"""Rounds that an encoder holds in memory at a time."""
MAX_LANES = 8
START_SHIFT, FREQUENCY_SHIFT = 8, 20
"""Fields of an interval: ``symbol | start << START_SHIFT | frequency << FREQUENCY_SHIFT``, in 32 bits."""

_U64 = np.uint64


@kernel
def _encode(rounds: NDArray[np.uint32], states: NDArray[np.uint64], words: NDArray[np.uint32]) -> int:
    """Write words at the end of `words`; the place of the first."""
    at = len(words)
    for r in range(len(rounds) - 1, -1, -1):
        for lane in range(len(states) - 1, -1, -1):
            limit, bits = _U64(1), _U64(STATE_BITS)
            for k in range(ROUND):
                if rounds[r, lane, k]:
                    limit *= _U64(rounds[r, lane, k] >> FREQUENCY_SHIFT)
                    bits -= _U64(PRECISION)
            state = states[lane]
            if bits < _U64(STATE_BITS) and state >= limit << bits:
                at -= 1
                words[at] = state & _U64(LEAST - 1)
                state >>= _U64(WORD_BITS)
            for k in range(ROUND - 1, -1, -1):
                interval = _U64(rounds[r, lane, k])
                if interval:
                    frequency = interval >> _U64(FREQUENCY_SHIFT)
                    start = interval >> _U64(START_SHIFT) & _U64(TOTAL - 1)
                    state = (state // frequency << _U64(PRECISION)) + start + state % frequency
            states[lane] = state
    return at


def encode_rounds(rounds: Iterable[NDArray[np.uint32]], lanes: int) -> bytes:
    """Code rounds of intervals into a stream.

    Parameters
    ----------
    rounds : iterable of ndarray of uint32, shape (n, lanes, 2)
        The last first: an encoder goes backwards. 0 where a lane has no symbol.
    lanes : int
    """
    states = np.full(lanes, LEAST, np.uint64)
    coded = []
    for part in rounds:
        words = np.empty(part.size // ROUND, np.uint32)
        first = int(_encode(part, states, words))
        coded.append(words[first:].astype("<u4").tobytes())
    return b"".join([states.astype("<u8").tobytes(), *reversed(coded)])


def rounds_in_turn(
    symbols: NDArray[np.uint8], intervals: NDArray[np.uint32], lanes: int
) -> Iterator[NDArray[np.uint32]]:
    """Rounds of a run whose symbols the lanes take in turn, the last first: ndarrays of shape (n, lanes, 2).

    Parameters
    ----------
    symbols : ndarray of uint8, shape (n,)
    intervals : ndarray of uint32, shape (symbols of the alphabet,)
        As `frequencies.intervals_of` makes them.
    lanes : int
    """
    size = ROUND * lanes
    for begin in reversed(range(0, len(symbols), ROUNDS * size)):
        part = symbols[begin : begin + ROUNDS * size]
        padded = np.zeros(-(-len(part) // size) * size, np.uint32)
        padded[: len(part)] = intervals[part]
        yield padded.reshape(-1, ROUND, lanes).transpose(0, 2, 1)


def rounds_side_by_side(pairs: NDArray[np.uint32], lanes: int) -> NDArray[np.uint32]:
    """Rounds of a run of pairs of symbols, shape (pairs, 2), of which each lane takes a part of its own."""
    part = -(-len(pairs) // lanes)
    padded = np.zeros((lanes * part, ROUND), np.uint32)
    padded[: len(pairs)] = pairs
    return padded.reshape(lanes, part, ROUND).transpose(1, 0, 2)
