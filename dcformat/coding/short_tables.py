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
_NEVER = 1 << 40


@inlined
def _follow(bits: NDArray[np.int64], before: NDArray[np.uint8], lengths: NDArray[np.uint8]) -> int:
    """Go back from the fewest bits of all complete codes."""
    whole = len(bits) - 1
    taken, chosen = np.int64(whole), bits[whole].argmin()
    fewest = bits[whole, chosen]
    for i in range(len(lengths) - 1, -1, -1):
        lengths[i] = chosen
        last = np.int64(before[i, taken, chosen])
        taken -= whole >> chosen if chosen else 0
        chosen = last
    return fewest  # type: ignore[no-any-return]


@kernel
def _fit(counts: NDArray[np.int64], steps: NDArray[np.int64], lengths: NDArray[np.uint8]) -> int:
    """Lengths of the fewest bits, to `lengths`, and these bits.

    `steps` has the bits of a step by each difference of lengths from -`MAX_LENGTH` on. A code is complete when its
    symbols have taken all of 2**MAX_LENGTH shares: one of length l takes 2**(MAX_LENGTH - l), of length 0 none.
    """
    whole, choices = 1 << MAX_LENGTH, MAX_LENGTH + 1
    bits = np.full((whole + 1, choices), _NEVER, np.int64)
    bits[0, 0] = 0
    before = np.zeros((len(counts), whole + 1, choices), np.uint8)
    for i in range(len(counts)):
        longer = np.full((whole + 1, choices), _NEVER, np.int64)
        for length in range(0 if counts[i] == 0 else 1, choices):
            share = whole >> length if length else 0
            for taken in range(whole + 1 - share):
                least, last = np.int64(_NEVER), 0
                for previous in range(choices):
                    found = bits[taken, previous] + steps[length - previous + MAX_LENGTH]
                    if found < least:
                        least, last = found, previous
                longer[taken + share, length] = least + counts[i] * length
                before[i, taken + share, length] = last
        bits = longer
    return _follow(bits, before, lengths)  # type: ignore[no-any-return]


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
