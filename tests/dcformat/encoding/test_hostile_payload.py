"""Payloads that lie under a right checksum are refused, soon and without much memory."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from containers import build, holding
from hostile import lengths_bits, outcome, refused, varints

from dcz.dcformat import open as open_container
from dcz.dcformat.constants import CHUNK_ENTRIES, FREE_ELEMENTS, MAX_EXPANSION
from dcz.dcformat.container.layout import pack_header

BOOK = bytes.fromhex("3800 5eff8fbfe0")  # 0.5, 1.5, -0.25 as half floats
GAPS = [2, 2, 0, 1]  # escape 3 as 0, 0 as 10, 1 as 11
SYMBOLS = [1, 2, 2]


def sparse_payload(
    layout: int = 0x22,
    nnz: bytes = varints(3),
    count: bytes = varints(3),
    book: bytes = BOOK,
    tables: bytes | None = None,
    chunks: bytes = varints(1, 1, 1, 1),
    gaps: bytes = bytes([0b10110100]),  # 0 1 escape 0
    symbols: bytes = bytes([0b01011000]),
) -> bytes:
    tables = lengths_bits(GAPS, SYMBOLS) if tables is None else tables
    return layout.to_bytes() + nnz + count + book + tables + chunks + gaps + symbols


def test_the_payload_that_the_others_differ_from_is_read() -> None:
    with open_container(io.BytesIO(holding(sparse_payload(), (2, 6), "sparse_shared"))) as container:
        assert container.tensor("t").reshape(-1).tolist() == [0, 0.5, 0, 1.5, 0, 0, 0, -0.25, 0, 0, 0, 0]


SPARSE: dict[str, bytes] = {
    "empty": b"",
    "gap width 0": sparse_payload(layout=0x20),
    "gap width 9": sparse_payload(layout=0x29),
    "gap width 15": sparse_payload(layout=0x2F),
    "the form of other types": sparse_payload(layout=0x62),
    "unknown form 4": sparse_payload(layout=0x82),
    "unknown form 7": sparse_payload(layout=0xE2),
    "more stored than there are": sparse_payload(nnz=varints(13)),
    "nnz 2**62": sparse_payload(nnz=varints(1 << 62)),
    "nnz not shortest": sparse_payload(nnz=b"\x83\x00"),
    "nnz too long": sparse_payload(nnz=b"\xff" * 12),
    "nnz without end": b"\x22\x80",
    "one less stored": sparse_payload(nnz=varints(2)),
    "one more stored": sparse_payload(nnz=varints(4)),
    "none stored but more there": sparse_payload(nnz=varints(0)),
    "no centroids": sparse_payload(count=varints(0)),
    "257 centroids": sparse_payload(count=varints(257)),
    "fewer centroids": sparse_payload(count=varints(2)),
    "more centroids": sparse_payload(count=varints(200)),
    "a zero centroid": sparse_payload(book=bytes.fromhex("0000 5eff8fbfe0")),
    "centroids beyond the last pattern": sparse_payload(book=bytes.fromhex("ffff 5eff8fbfe0")),
    "gap lengths incomplete": sparse_payload(tables=lengths_bits([2, 2, 0, 2], SYMBOLS)),
    "gap lengths oversubscribed": sparse_payload(tables=lengths_bits([1, 1, 0, 1], SYMBOLS)),
    "no gap lengths": sparse_payload(tables=lengths_bits([0, 0, 0, 0], SYMBOLS)),
    "gap length 13": sparse_payload(tables=lengths_bits([13, 2, 2, 1], SYMBOLS)),
    "gap length negative": sparse_payload(tables=lengths_bits([-1, 2, 2, 1], SYMBOLS)),
    "symbol lengths incomplete": sparse_payload(tables=lengths_bits(GAPS, [1, 2, 0])),
    "no symbol lengths": sparse_payload(tables=lengths_bits(GAPS, [0, 0, 0])),
    "single length 2": sparse_payload(tables=lengths_bits(GAPS, [2, 0, 0])),
    "padding of tables": sparse_payload(tables=lengths_bits(GAPS, SYMBOLS)[:-1] + b"\xff"),
    "start beyond the tensor": sparse_payload(chunks=varints(13, 1, 1, 1)),
    "start pushes the last out": sparse_payload(chunks=varints(6, 1, 1, 1)),
    "more escapes than weights": sparse_payload(chunks=varints(1, 13, 1, 1)),
    "fewer escapes": sparse_payload(chunks=varints(1, 0, 1, 1)),
    "more escapes": sparse_payload(chunks=varints(1, 4, 1, 1)),
    "gap bytes 0": sparse_payload(chunks=varints(1, 1, 0, 1)),
    "gap bytes beyond": sparse_payload(chunks=varints(1, 1, 99, 1)),
    "gap bytes 2**60": sparse_payload(chunks=varints(1, 1, 1 << 60, 1)),
    "symbol bytes 0": sparse_payload(chunks=varints(1, 1, 1, 0)),
    "symbol bytes 2": sparse_payload(chunks=varints(1, 1, 1, 2)),
    "chunk table not shortest": sparse_payload(chunks=b"\x81\x00" + varints(1, 1, 1)),
    "bytes behind": sparse_payload() + b"\0",
    "cut": sparse_payload()[:-1],
    "gaps past the end": sparse_payload(gaps=bytes([0b11111111])),
    "gaps of escapes": sparse_payload(gaps=bytes([0b00001000])),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_payloads(name: str) -> None:
    error = refused(holding(SPARSE[name], (2, 6), "sparse_shared"))
    assert "tensor 't'" in str(error) or "section 0" in str(error)


@pytest.mark.parametrize(
    ("payload", "shape", "encoding", "dtype"),
    [
        (sparse_payload(), (12,), "raw", "F32"),
        (sparse_payload(), (2, 6), "shared", "F32"),
        (sparse_payload(), (2, 6), "sparse_raw", "F32"),
        (sparse_payload(layout=0x32), (12,), "sparse_shared", "F32"),  # axes of a vector swapped
        (sparse_payload(layout=0x32), (), "sparse_shared", "F32"),
        (sparse_payload(layout=0x02), (2, 6), "sparse_shared", "F16"),  # a half tensor of fp32 centroids
        (sparse_payload(), (2, 6), "sparse_shared", "I32"),
        (sparse_payload(), (2, 6), "sparse_shared", "F64"),
        (sparse_payload(), (0, 6), "sparse_shared", "F32"),
        (b"\x02\x00", (0,), "sparse_raw", "F32"),
        (b"", (0,), "shared", "F32"),
        (bytes(23), (2, 3), "raw", "F32"),
        (bytes(25), (2, 3), "raw", "F32"),
        (b"\x01\x02", (2,), "raw", "BOOL"),
        (b"\x22" + varints(2) + lengths_bits([1, 0, 0, 0]) + varints(0, 0, 0) + bytes(8), (2,), "sparse_raw", "F32"),
        (b"\x02" + varints(2) + lengths_bits([1, 0, 0, 0]) + varints(0, 0, 0) + bytes(7), (2,), "sparse_raw", "F32"),
        (b"\x21" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(1) + b"\x58", (3,), "shared", "F32"),
        (b"\x30" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(1) + b"\x58", (3,), "shared", "F32"),
        (b"\x20" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(2) + b"\x58", (3,), "shared", "F32"),
        (b"\x20" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(1) + b"\x58", (9,), "shared", "F32"),
    ],
)
def test_other_payloads(payload: bytes, shape: tuple[int, ...], encoding: str, dtype: str) -> None:
    refused(holding(payload, shape, encoding, dtype))


def test_a_grid_past_the_largest_float() -> None:
    book = np.float32(3e38).tobytes() + bytes.fromhex("7fff") + lengths_bits([])
    payload = sparse_payload(0x42, varints(3), varints(1), book, lengths_bits(GAPS, [1]), varints(1, 1, 1, 0))[:-1]
    assert "largest float" in str(refused(holding(payload, (2, 6), "sparse_shared")))


# Memory: a small file does not get much.

PEAK = 200 << 20


def flat_code(size: int) -> list[int]:
    return [1] + [0] * (size - 1)


def greedy_files() -> dict[str, bytes]:
    """Files of about 1 KB, each of which asks for as much as it can."""
    zeros, dense = FREE_ELEMENTS + MAX_EXPANSION * 60, FREE_ELEMENTS + MAX_EXPANSION * 150
    entries = 200 * CHUNK_ENTRIES
    one = bytes.fromhex("3800") + lengths_bits([])
    return {
        "zeros": holding(b"\x01\x00", (zeros, 1), "sparse_shared"),
        "dense": holding(b"\x20\x01" + one + lengths_bits([1]) + bytes(-(-dense // CHUNK_ENTRIES)), (dense,), "shared"),
        "sparse": holding(
            b"\x31"
            + varints(entries)
            + b"\x01"
            + one
            + lengths_bits(flat_code(2), [1])
            + (varints(0) + bytes(3))
            + (varints(CHUNK_ENTRIES) + bytes(3)) * 199,
            (entries, 1),
            "sparse_shared",
        ),
        "wide": holding(
            b"\x60\x01" + bytes(7) + b"\x01" + lengths_bits([1]) + bytes(-(-dense // CHUNK_ENTRIES)),
            (dense,),
            "shared_any",
            "F64",
        ),
        "scaled": holding(
            np.ones(100, "<f4").tobytes()
            + (b"\x60\x01" + one + lengths_bits([1]) + bytes(-(-dense // 100 * 100 // CHUNK_ENTRIES))),
            (100, dense // 100),
            "shared_scaled",
        ),
        "scales that are not there": holding(b"\x60\x01", (1 << 20, 2), "shared_scaled"),
        "a bomb of a manifest": build(b'{"tensors":[' + b"[]," * 340_000 + b'[]],"sections":[]}'),
        "a bomb of spaces": build(b" " * (1 << 26)),
        "rows without columns": holding(b"", ((1 << 31) - 1, 0), "raw"),
        "long manifest": pack_header(b"")[:12] + b"\xff\xff\xff\x00" + bytes(4),
        "chunks that are not there": holding(b"\x20\x01" + one + lengths_bits([1]), (1 << 20,), "shared"),
    }


@pytest.mark.parametrize("name", greedy_files())
def test_memory(name: str) -> None:
    data = greedy_files()[name]
    assert len(data) < 70_000
    tracemalloc.start()
    try:
        assert outcome(data) == ("read" if name in ("zeros", "dense", "sparse", "wide", "scaled") else "refused")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < PEAK


def test_address_space_is_enough_at_one_gigabyte(tmp_path: Path) -> None:
    """Under a hard limit of memory, a reader in a process of its own refuses, and is not killed."""
    pytest.importorskip("resource")
    for i, data in enumerate(greedy_files().values()):
        (tmp_path / f"{i}.dcz").write_bytes(data)
    script = """
import resource, sys
from pathlib import Path
import dcz.dcformat as fmt
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if Path("/proc").exists() else 0
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
for path in sorted(Path(sys.argv[1]).glob("*.dcz")):
    try:
        with fmt.open(path) as container:
            container.verify()
            for name in container.entries:
                container.tensor(name)
    except fmt.FormatError:
        pass
print("alive")
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.stdout == "alive\n", run.stderr
