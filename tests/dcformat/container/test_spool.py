"""Payloads in a file: as they were, in the file or in memory, and the same container either way."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from codec_cases import sparse_array

from dcz.dcformat import encode, write
from dcz.dcformat.container import spool
from dcz.dcformat.container.spool import Spool, Spooled, blocks_of
from dcz.dcformat.container.writer import SMALL_BYTES


def test_payloads_come_back_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BLOCK", 4)
    kept = Spool(io.BytesIO())
    first, empty, last = kept.keep(b"0123456789"), kept.keep(b""), kept.keep(memoryview(b"abcde"))
    assert list(blocks_of(last)) == [b"abcd", b"e"]
    assert list(blocks_of(first)) == [b"0123", b"4567", b"89"]
    assert (first.read(), empty.read(), len(last)) == (b"0123456789", b"", 5)
    assert list(blocks_of(b"abcde")) == [b"abcde"]


def test_threads_do_not_write_into_each_others_payloads() -> None:
    kept = Spool(io.BytesIO())
    payloads = [bytes([i]) * (1000 + i) for i in range(100)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(kept.keep, payloads))
    assert [payload.read() for payload in found] == payloads


def test_a_container_of_payloads_in_a_file_is_the_same() -> None:
    rng = np.random.default_rng(1)
    arrays = {
        "plain": rng.standard_normal((90, 700)).astype(np.float32),
        "zeros": np.zeros((2000, 2000), np.float32),  # few bytes stand for many: stored plainly by `write`
        "shared": sparse_array((400, 700), 0.2, 30, rng),
        "small": np.arange(5),
    }
    here, there = io.BytesIO(), io.BytesIO()
    write(here, None, arrays)
    kept = Spool(io.BytesIO())
    encoded = {name: encode(name, array).in_file(kept) for name, array in arrays.items()}
    assert {name for name, tensor in encoded.items() if isinstance(tensor.payload, Spooled)} == {"plain", "shared"}
    assert all(len(tensor.payload) < SMALL_BYTES for tensor in (encoded["zeros"], encoded["small"]))
    assert encoded["plain"].in_file(kept) is encoded["plain"]
    assert encoded["plain"].decode().array.tobytes() == arrays["plain"].tobytes()
    write(there, None, encoded)
    assert there.getvalue() == here.getvalue()
