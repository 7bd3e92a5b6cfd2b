"""Lists of numbers that adapt: what is written is read again, and what does not fit is refused by name."""

import numpy as np
import pytest

from dcz.core.errors import FormatError, TruncatedError
from dcz.dcformat.coding.adaptive_numbers import LIMIT, SHARE_BITS, SHARES, Numbers, write_number_lists
from dcz.dcformat.coding.bits import zigzag, zigzag_steps
from dcz.dcformat.coding.number_reader import Listed, NumberReader, chain, numbers, steps
from dcz.dcformat.coding.range_coder import TOTAL

COUNTS = np.array([0, 7, 2**31, 1, 0, 3] + 600 * [0, 1])
CLASSES = np.array([3, 3, -4, 0, 0, -1])
CURVE = np.array([8, 12, 4, 4, 16])


def stream_of() -> bytes:
    coded = [
        Numbers(COUNTS),
        Numbers(np.zeros(0, np.int64)),
        Numbers(zigzag(CLASSES), chain=True),
        Numbers(zigzag_steps(CURVE >> 2)),
    ]
    return write_number_lists(coded)


LISTS = [
    numbers("count", len(COUNTS), 2**31),
    numbers("nothing", 0, 0),
    chain("class", len(CLASSES), 4),
    steps("point", len(CURVE), 100, shift=2, least=4, most=16),
]


def test_lists_are_read_as_they_were_written() -> None:
    data = stream_of()
    reader = NumberReader(b"ab" + data + b"c", 2, len(data), "lists")
    (first,) = reader.read(LISTS[0])
    found = [first, *reader.read(*LISTS[1:])]
    reader.close()
    for read, written in zip(found, (COUNTS, [], CLASSES, CURVE), strict=True):
        assert read.tolist() == list(written)


@pytest.mark.parametrize(
    ("number", "narrow", "message"),
    [
        (0, numbers("count", len(COUNTS), 6), "lists: count is out of range (expected at most 6, found 7)"),
        (2, chain("class", len(CLASSES), 3), "lists: class is out of range (expected at most 6, found 7)"),
        (
            3,
            steps("point", len(CURVE), 100, shift=2, least=4, most=12),
            "lists: point is out of range (expected 4 to 12, found [8, 12, 4, 4, 16])",
        ),
    ],
)
def test_list_that_passes_its_limit_is_named(number: int, narrow: Listed, message: str) -> None:
    data = stream_of()
    reader = NumberReader(data, 0, len(data), "lists")
    with pytest.raises(FormatError) as refused:
        reader.read(*LISTS[:number], narrow, *LISTS[number + 1 :])
    assert str(refused.value) == message


def test_number_of_too_many_digits_is_refused() -> None:
    reader = NumberReader(b"\xff" * 40, 0, 40, "lists")
    with pytest.raises(FormatError, match="count is too long"):
        reader.read(numbers("count", 1, 2**31))


def test_stream_that_is_not_all_read_is_refused() -> None:
    data = stream_of()
    reader = NumberReader(data, 0, len(data), "lists")
    with pytest.raises(FormatError, match="does not end where it should"):
        reader.close()
    with pytest.raises(TruncatedError, match="data ends too early"):
        NumberReader(data, 1, len(data), "lists")


def test_shares_replace_a_division() -> None:
    zeros, ones = np.arange(LIMIT)[:, None], np.arange(LIMIT)
    scaled = (2 * zeros + 1) * TOTAL
    assert np.array_equal(scaled * SHARES[zeros + ones] >> SHARE_BITS, scaled // (2 * (zeros + ones + 1)))
