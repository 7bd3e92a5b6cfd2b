import pytest
from bitarray import bitarray
from codec_cases import bits, bits_of
from hypothesis import example, given
from hypothesis import strategies as st

from dcz.dcformat import FormatError, TruncatedError
from dcz.dcformat.coding.bits import (
    ORDER_BITS,
    BitReader,
    BitWriter,
    read_varint,
    read_varints,
    write_varint,
    zigzag,
)

numbers = st.lists(st.integers(0, (1 << 32) - 1) | st.integers(0, 20), max_size=30)


def read_by_hand(text: str, count: int) -> tuple[list[int], int]:
    """A number list as docs/format.md has it, read from a string of 0 and 1."""
    order, at, out = int(text[:5], 2), 5, []
    for _ in range(count):
        zeros = text.index("1", at) - at
        quotient = int(text[at + zeros : at + 2 * zeros + 1], 2)
        at += 2 * zeros + 1
        low = int(text[at : at + order] or "0", 2)
        at += order
        out.append(((quotient - 1) << order) + low)
    return out, at


def written(values: list[int]) -> bitarray:
    out = BitWriter()
    out.numbers(values)
    return out.bits


@given(st.integers(0, (1 << 63) - 1))
def test_varint_round_trip(value: int) -> None:
    out = bytearray(b"x")
    write_varint(out, value)
    assert read_varint(bytes(out) + b"\xff", 1, 1 << 63, "n") == (value, len(out))
    assert len(out) - 1 == max(1, -(-value.bit_length() // 7))
    for size in range(1, len(out)):
        with pytest.raises(TruncatedError):
            read_varint(bytes(out[:size]), 1, 1 << 63, "n")


def test_varint_limits() -> None:
    assert read_varint(b"\x80\x01", 0, 128, "n") == (128, 2)
    with pytest.raises(FormatError, match="expected at most 127, found 128"):
        read_varint(b"\x80\x01", 0, 127, "n")
    with pytest.raises(FormatError, match="shortest"):
        read_varint(b"\x80\x00", 0, 1, "n")
    with pytest.raises(FormatError, match="too long"):
        read_varint(b"\xff" * 12, 0, 1 << 90, "n")


@given(st.lists(st.integers(0, 300) | st.integers(0, (1 << 63) - 1), min_size=1, max_size=8))
def test_kernel_reads_rows_of_varints(values: list[int]) -> None:
    out, limits = bytearray(b"x"), {"a": (1 << 63) - 1, "b": (1 << 63) - 1}
    for value in [*values, *values]:
        write_varint(out, value)
    rows, end = read_varints(bytes(out) + b"\xff", 1, len(values), limits, "n")
    assert rows.shape == (len(values), 2)
    assert rows.reshape(-1).tolist() == [*values, *values]
    assert end == len(out)
    with pytest.raises(TruncatedError, match="n: "):
        read_varints(bytes(out[:-1]), 1, len(values), limits, "n")


def test_rows_of_varints_are_refused_as_varints_are() -> None:
    limits = {"a": 200, "b": 1}
    assert read_varints(b"\x80\x01\x01", 0, 1, limits, "n")[0].tolist() == [[128, 1]]
    assert read_varints(b"", 0, 0, limits, "n")[1] == 0
    for data, message in (
        (b"\x80\x01\x02", "n: b is out of range"),
        (b"\x01\x80\x00", "n: b: number is not in its shortest form"),
        (b"\xff" * 12, "n: a: number is too long"),
    ):
        with pytest.raises(FormatError, match=message):
            read_varints(data, 0, 1, limits, "n")


@given(numbers)
@example([])
@example([(1 << 32) - 1])
@example([(1 << 32) - 1, 0])
@example([1 << 31] * 20)
def test_number_kernel_reads_what_is_written_and_what_a_reader_in_python_reads(values: list[int]) -> None:
    out = written(values)
    assert read_by_hand(out.to01(), len(values)) == (values, len(out))
    reader = BitReader(b"\xaa" + out.tobytes(), 1, "numbers")
    result = reader.numbers(len(values), (1 << 32) - 1)
    assert result.tolist() == values
    assert reader.align() == 1 + -(-len(out) // 8)


@given(numbers.filter(bool))
def test_the_order_is_the_cheapest(values: list[int]) -> None:
    out = written(values)
    costs = [sum(2 * ((v >> order) + 1).bit_length() - 1 + order for v in values) for order in range(32)]
    assert len(out) == ORDER_BITS + min(costs)
    assert int(out.to01()[:5], 2) == costs.index(min(costs))


@given(numbers.filter(bool))
def test_a_number_list_that_is_cut_is_refused(values: list[int]) -> None:
    out = written(values)
    for size in range(len(out) // 8):
        with pytest.raises(TruncatedError):
            BitReader(out.tobytes()[:size], 0, "numbers").numbers(len(values), (1 << 32) - 1)


@pytest.mark.parametrize("order", range(32))
def test_number_kernel_refuses_over_32_bits(order: int) -> None:
    for zeros in range(33 - order, 70):
        data = bits(f"{order:05b}" + "0" * zeros + "1" * 200)
        with pytest.raises(FormatError):
            BitReader(data, 0, "numbers").numbers(1, (1 << 32) - 1)


@pytest.mark.parametrize("order", range(32))
def test_number_kernel_reads_the_longest(order: int) -> None:
    zeros = 32 - order
    # One more than 32 bits can hold is left for the limit to refuse: the greatest m of so many digits.
    data = bits(f"{order:05b}" + "0" * zeros + "1" + "0" * (zeros + order))
    assert BitReader(data, 0, "numbers").numbers(1, (1 << 33)).tolist() == [(1 << 32) - (1 << order)]
    data = bits(f"{order:05b}" + "0" * zeros + "1" * (1 + zeros + order))
    with pytest.raises(FormatError, match="out of range"):
        BitReader(data, 0, "numbers").numbers(1, (1 << 32) - 1)


def test_a_number_over_the_limit_is_refused() -> None:
    data = written([3, 9, 4]).tobytes()
    assert BitReader(data, 0, "steps").numbers(3, 9).tolist() == [3, 9, 4]
    with pytest.raises(FormatError, match=r"steps is out of range \(expected at most 8, found 9\)"):
        BitReader(data, 0, "steps").numbers(3, 8)


def test_padding_must_be_zero() -> None:
    out = written([1, 2])
    assert len(out) % 8
    data = bytearray(out.tobytes())
    data[-1] |= 1
    assert bits_of(bytes(data))[-1] == "1"
    reader = BitReader(bytes(data), 0, "numbers")
    reader.numbers(2, 10)
    with pytest.raises(FormatError, match="padding"):
        reader.align()


@given(st.lists(st.integers(-(1 << 40), 1 << 40)))
def test_zigzag_is_the_shifted_magnitude(values: list[int]) -> None:
    for value, code in zip(values, zigzag(values), strict=True):
        assert code >= 0
        assert (code >> 1) ^ -(code & 1) == value
