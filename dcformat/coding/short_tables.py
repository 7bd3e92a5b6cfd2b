"""Code lengths for few symbols, of which the table of lengths is a good part: the fewest bits of both together.

The best lengths for counts of a few each follow chance, up and down, and so take long tables. Here a dynamic program
weighs each length with its step from the one before, as the table writes it, over all complete codes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel

MOST_SYMBOLS = 1 << 12
"""Symbols of a stream up to which a shorter table pays."""
MAX_LENGTH = 10
"""Longest code that is tried: the time doubles with each more."""
ORDERS = (0, 1)
"""Orders of the table's list of numbers that are tried."""
_CHOICE_BITS = 4
_CHOICE = (1 << _CHOICE_BITS) - 1
_ABOVE = np.int32(~_CHOICE)
"""Parts of a cell of the table: a length in its low bits, a number of bits above."""
_NEVER = 1 << 28


@inlined
def _follow(kept: NDArray[np.int32], lengths: NDArray[np.uint8]) -> int:
    """Go back from the fewest bits of all complete codes."""
    whole = kept.shape[2] - 1
    taken, chosen = np.int64(whole), kept[len(lengths), :, whole].argmin()
    fewest = kept[len(lengths), chosen, whole] >> _CHOICE_BITS
    for i in range(len(lengths) - 1, -1, -1):
        lengths[i] = chosen
        last = np.int64(kept[i + 1, chosen, taken] & _CHOICE)
        taken -= whole >> chosen if chosen else 0
        chosen = last
    return fewest  # type: ignore[no-any-return]


@kernel
def _fit(counts: NDArray[np.int64], steps: NDArray[np.int64], lengths: NDArray[np.uint8]) -> int:
    """Lengths of the fewest bits, to `lengths`, and these bits.

    `steps` has the bits of a step by each difference of lengths from -`MAX_LENGTH` on. A code is complete when its
    symbols have taken all of 2**MAX_LENGTH shares: one of length l takes 2**(MAX_LENGTH - l), of length 0 none. Cells
    of the table, by symbol, length and shares, have the fewest bits so far above the length before. So the innermost
    loop is a minimum of vectors.
    """
    whole, choices = 1 << MAX_LENGTH, MAX_LENGTH + 1
    kept = np.full((len(counts) + 1, choices, whole + 1), _NEVER, np.int32)
    kept[0, 0, 0] = 0
    for i in range(len(counts)):
        for length in range(0 if counts[i] == 0 else 1, choices):
            share = whole >> length if length else 0
            fewest = kept[i + 1, length, share:]
            for previous in range(choices):
                earlier = kept[i, previous]
                bits = steps[length - previous + MAX_LENGTH] + counts[i] * length
                step = np.int32(bits << _CHOICE_BITS | previous)
                for taken in range(len(fewest)):
                    fewest[taken] = min(fewest[taken], np.int32((earlier[taken] & _ABOVE) + step))
    return _follow(kept, lengths)  # type: ignore[no-any-return]


def lengths_of_short_table(counts: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """Code lengths whose codes and table together take the fewest bits, of those up to `MAX_LENGTH`.

    Parameters
    ----------
    counts : ndarray of int64, shape (n,)
        Occurrences of each symbol; of two or more, some.

    Returns
    -------
    ndarray of uint8, shape (n,), or None
        None where there are too many symbols for a table to matter, or for codes of `MAX_LENGTH`.
    """
    used = np.count_nonzero(counts)
    if not 2 <= used <= 1 << MAX_LENGTH or counts.sum() > MOST_SYMBOLS:
        return None
    differences = np.arange(-MAX_LENGTH, MAX_LENGTH + 1)
    numbers = np.where(differences < 0, -2 * differences - 1, 2 * differences)
    best: tuple[int, NDArray[np.uint8]] | None = None
    for order in ORDERS:
        digits = np.frexp((numbers >> order) + 1)[1].astype(np.int64)
        lengths = np.zeros(len(counts), np.uint8)
        bits = int(_fit(counts, 2 * digits - 1 + order, lengths))
        if best is None or bits < best[0]:
            best = bits, lengths
    assert best is not None
    return best[1]
