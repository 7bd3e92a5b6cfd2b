"""Code lengths that count their table, against all complete codes."""

from itertools import product

import numpy as np
import pytest

from dcz.dcformat.coding.bits import BitWriter
from dcz.dcformat.coding.huffman import coded_bits, write_lengths
from dcz.dcformat.coding.huffman_code import HuffmanCode
from dcz.dcformat.coding.short_tables import MOST_SYMBOLS, lengths_of_short_table


def bits_of(counts: np.ndarray, lengths: np.ndarray) -> int:
    out = BitWriter()
    write_lengths(out, lengths)
    return coded_bits(counts, lengths) + len(out.bits)


def shortest(counts: np.ndarray) -> int:
    """The fewest bits, by trying all codes of up to four bits."""
    codes = (np.array(lengths, np.uint8) for lengths in product(range(5), repeat=len(counts)))
    complete = (code for code in codes if code.all(where=counts > 0) and sum(0.5 ** code[code > 0]) == 1)
    return min(bits_of(counts, code) for code in complete if np.count_nonzero(code) > 1)


@pytest.mark.parametrize("counts", [(5, 1, 4, 1, 5), (1, 0, 9, 0, 3), (2, 2, 2, 2, 2), (0, 7, 0, 0, 1)])
def test_no_code_takes_fewer_bits_with_its_table(counts: tuple[int, ...]) -> None:
    lengths = lengths_of_short_table(np.array(counts))
    assert lengths is not None
    assert bits_of(np.array(counts), lengths) == shortest(np.array(counts))


def test_chance_is_not_followed_where_symbols_are_few() -> None:
    counts = np.bincount(np.random.default_rng(1).geometric(0.02, 900) % 256, minlength=256)
    plain, with_table = HuffmanCode.fit(counts), HuffmanCode.fit(counts, with_table=True)
    assert bits_of(counts, with_table.lengths) < bits_of(counts, plain.lengths) - 200
    assert with_table.cost(counts) > plain.cost(counts)


@pytest.mark.parametrize("counts", [(5,), (0, 3), (MOST_SYMBOLS, 1)])
def test_others_keep_their_code(counts: tuple[int, ...]) -> None:
    assert lengths_of_short_table(np.array(counts)) is None
    assert np.array_equal(HuffmanCode.fit(counts, True).lengths, HuffmanCode.fit(counts).lengths)
