"""The table of encodings, and schemes with another entropy coder than the table's."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from codec_cases import sparse_array
from numpy.typing import NDArray

from dcz.dcformat import Dense, FormatError
from dcz.dcformat.coding.bits import BitReader, BitWriter
from dcz.dcformat.coding.entropy import EntropyCode, Streams
from dcz.dcformat.coding.huffman_code import HuffmanCode
from dcz.dcformat.encoding.base import SHAREABLE, Counted, Scheme
from dcz.dcformat.encoding.header import Header
from dcz.dcformat.encoding.raw import RawScheme
from dcz.dcformat.encoding.shared import SharedScheme
from dcz.dcformat.encoding.sparse import SparseRawScheme, SparseSharedScheme
from dcz.dcformat.encoding.table import Encoding, encode_raw, encode_tensor, parse
from dcz.dcformat.tensors import DTYPES


@dataclass(frozen=True)
class PlainCode:
    """The smallest entropy coder: each symbol is a byte, and the table is empty."""

    size: int

    @classmethod
    def fit(cls, counts: Sequence[int] | NDArray[np.int64], with_table: bool = False) -> PlainCode:
        return cls(len(counts))

    @classmethod
    def read_table(cls, reader: BitReader, size: int) -> PlainCode:
        return cls(size)

    @classmethod
    def decode(cls, parts: Sequence[Streams]) -> list[NDArray[np.uint8]]:
        symbols = []
        for part in parts:
            if (np.diff(part.starts) != part.counts).any():
                raise FormatError(f"{part.name} do not decode to their length")
            symbols.append(np.frombuffer(part.data, np.uint8, part.nbytes, int(part.starts[0])))
        return symbols

    @property
    def lengths(self) -> NDArray[np.uint8]:
        return np.full(self.size, 8, np.uint8)

    def cost(self, counts: NDArray[np.int64]) -> int:
        return 8 * int(counts.sum())

    def table_bits(self) -> int:
        return 0

    def write_table(self, out: BitWriter) -> None:
        pass

    def encode(self, symbols: NDArray[np.uint8]) -> bytes:
        return symbols.tobytes()


CODERS: dict[str, type[EntropyCode]] = {"huffman": HuffmanCode, "plain": PlainCode}


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
@pytest.mark.parametrize(
    ("kind", "density", "values"),
    [(SharedScheme, 0.7, 9), (SparseSharedScheme, 0.1, 9), (partial(SparseRawScheme, values=RawScheme()), 0.2, 0)],
)
@pytest.mark.parametrize("shape", [(70, 600), (40, 20, 3, 3)])
def test_a_scheme_takes_any_entropy_coder(
    kind: Any, density: float, values: int, shape: tuple[int, ...], coder: type[EntropyCode]
) -> None:
    array = sparse_array(shape, density, values, np.random.default_rng(1))
    scheme: Scheme = kind(SHAREABLE, coder)
    payload = scheme.write(Counted.of(Dense(array, "F32")))
    assert payload is not None
    parsed = scheme.parse(Header(bytes(payload) + b"\xff", 0, array.shape, "F32"))
    assert parsed.end == sum(parsed.parts.values()) == len(payload)
    assert parsed.decode().dense().tobytes() == array.tobytes()
    for name, streams in parsed.describe().streams.items():
        assert isinstance(streams.code, coder)
        assert streams.size == len(streams.decode())
        assert streams.nbytes == parsed.parts[name]
        assert np.isin(streams.decode(), np.flatnonzero(streams.code.lengths)).all()


def test_what_any_scheme_writes_is_the_tensor() -> None:
    """A scheme that fits a tensor writes what decodes to it, or nothing."""
    rng = np.random.default_rng(0)
    written = set()
    for density, values in product((0, 0.1, 0.5, 1), (1, 9, 300, 0)):
        for dtype in ("F32", "I16"):
            bits = sparse_array((60, 70), density, values, rng).view(np.uint32) >> (0 if dtype == "F32" else 16)
            array = bits.astype(f"u{DTYPES[dtype].itemsize}").view(DTYPES[dtype])
            for encoding in Encoding:
                payload = (
                    encoding.scheme.write(Counted.of(Dense(array, dtype))) if encoding.fits(dtype, (60, 70)) else None
                )
                if payload is not None:
                    written.add(encoding)
                    decoded = parse(bytes(payload), 0, array.shape, dtype, encoding).decode()
                    assert decoded.dense().tobytes() == array.tobytes()
    fitting = {one for one in Encoding if one.fits("F32", (60, 70)) or one.fits("I16", (60, 70))}
    assert written == {one for one in fitting if not one.endswith("_scaled")}


def test_equally_long_payloads_go_to_the_row_above() -> None:
    array = np.float32([1.0])
    assert encode_tensor(Dense(array, "F32")) == (Encoding.RAW, encode_raw(Dense(array, "F32")))


@pytest.mark.parametrize("encoding", Encoding)
def test_members_are_found_by_name_and_pickled(encoding: Encoding) -> None:
    assert Encoding(encoding.value) is encoding
    assert pickle.loads(pickle.dumps(encoding)) is encoding
    later = ("_any", "_scaled", "planes", "_wide", "context", "adaptive", "mixed")
    assert encoding.minor_version == (1 if encoding.endswith(later) else 0)
