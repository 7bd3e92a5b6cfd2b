"""Files that somebody made to do harm, and the error that each must give.

Each has right checksums, but for those that attack these. The error is raised before memory is taken for what the file
claims: a thousand bytes get at most tens of megabytes.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_cases import bits
from containers import build, deflate, holding, with_graph
from hostile import lengths_bits, refused, varints

from dcz.dcformat import ChecksumError, FormatError, TruncatedError, UnsupportedVersionError
from dcz.dcformat.container.layout import pack_header
from dcz.dcformat.container.manifest import DICTIONARY

ONE_HALF = bytes.fromhex("3800") + lengths_bits([])
"""A codebook of 0.5 alone, as a half float."""


def shared(lengths: list[int], symbols: bytes, size: int = 4) -> bytes:
    """A `shared` payload of three half floats and a code of these lengths."""
    book = bytes.fromhex("3800 5eff8fbfe0")
    return holding(b"\x20\x03" + book + lengths_bits(lengths) + varints(len(symbols)) + symbols, (size,), "shared")


def sparse(gaps: str, start: int = 0, stored: int = 2, escapes: int = 0, size: int = 8) -> bytes:
    """A `sparse_shared` payload of one value, with gap symbols 0, 1 and the escape 3 as 0, 10 and 11."""
    stream = bits(gaps)
    head = b"\x22" + varints(stored, 1) + ONE_HALF + lengths_bits([1, 2, 0, 2], [1])
    return holding(head + varints(start, escapes, len(stream), 0) + stream, (size,), "sparse_shared")


def sections(*rows: list[int], data: bytes = bytes(24)) -> bytes:
    tensors = [[f"t{i}", [2, 3]] for i in range(sum(row[2] for row in rows))]
    return build({"tensors": tensors, "sections": rows}, [data])


def manifest_of(text: bytes) -> bytes:
    return pack_header(deflate(text, DICTIONARY))


CRC = zlib.crc32(bytes(24))
ATTACKS: dict[str, tuple[Callable[[], bytes], type[FormatError], str]] = {
    # Bombs.
    "a manifest of 64 MiB of spaces": (lambda: manifest_of(b" " * (1 << 26)), FormatError, "at most 16777216 bytes"),
    "labels of 32 MiB": (
        lambda: (
            lambda packed: build(
                {"tensors": [], "sections": [], "labels": [len(packed), zlib.crc32(packed)]}, labels=packed
            )
        )(deflate(b'["' + b"a" * (1 << 25) + b'"]')),
        FormatError,
        "labels is cut short, too long",
    ),
    "a manifest that says 4 GiB": (
        lambda: pack_header(b"")[:12] + b"\xff\xff\xff\xff" + bytes(4),
        FormatError,
        "manifest is too long",
    ),
    "nesting of 100,000": (
        lambda: build(b'{"tensors":' + b"[" * 100_000 + b"]" * 100_000 + b',"sections":[]}'),
        FormatError,
        "manifest is not JSON: maximum recursion depth exceeded",
    ),
    "a terabyte of zeros": (
        lambda: holding(b"\x01\x00", (1 << 30, 1 << 10), "sparse_shared"),
        FormatError,
        "larger than a file of this size",
    ),
    "two billion empty rows": (
        lambda: holding(b"", ((1 << 31) - 1, 0), "raw"),
        FormatError,
        "larger than a file of this size",
    ),
    "chunks that are not there": (
        lambda: holding(b"\x20\x01" + ONE_HALF + lengths_bits([1]), (1 << 20,), "shared"),
        TruncatedError,
        "chunk table: data ends too early",
    ),
    "values that double 40 times": (
        lambda: with_graph([["concat", [], {}, [i, i]] for i in range(40)]),
        FormatError,
        "elements",
    ),
    # Products that wrap around.
    "a shape whose product is 2^128": (
        lambda: holding(b"", (1 << 16,) * 8, "raw"),
        FormatError,
        "larger than a file of this size",
    ),
    "a shape whose product is 0 beside 2^60": (
        lambda: holding(b"", (1 << 30, 1 << 30, 0), "raw"),
        FormatError,
        "larger than a file of this size",
    ),
    "a section of 2^63 bytes": (lambda: sections([1 << 63, CRC, 1]), FormatError, "bad section"),
    "a stream of 2^60 bytes": (
        lambda: holding(b"\x20\x01" + ONE_HALF + lengths_bits([1]) + varints(1 << 60), (4,), "shared"),
        FormatError,
        "chunk table: bytes is out of range",
    ),
    "padding that overflows": (
        lambda: with_graph([["pad", [], {"before": [1 << 30] * 3, "after": [1 << 30] * 3}]]),
        FormatError,
        "elements",
    ),
    # Overlaps, and sections that do not add up.
    "sections beyond the end": (lambda: sections([48, CRC, 1]), TruncatedError, "file is cut short"),
    "sections short of the end": (
        lambda: sections([12, zlib.crc32(bytes(12)), 1]),
        FormatError,
        "bytes behind the end",
    ),
    "a tensor in two sections": (
        lambda: build({"tensors": [["t", [2, 3]]], "sections": [[24, CRC, 1], [0, 0, 1]]}, [bytes(24)]),
        FormatError,
        "sections and tensors do not agree",
    ),
    "a payload that runs into the next": (
        lambda: build({"tensors": [["a", [2, 3]], ["b", [2, 3]]], "sections": [[24, CRC, 2]]}, [bytes(24)]),
        TruncatedError,
        "elements: data ends too early",
    ),
    "bytes between tensors": (
        lambda: build({"tensors": [["a", [2]]], "sections": [[24, CRC, 1]]}, [bytes(24)]),
        FormatError,
        "section has bytes behind its last tensor",
    ),
    # Cycles.
    "a node that reads itself": (lambda: with_graph([["relu", [], {}, [1]]]), FormatError, "not made yet"),
    "two nodes that read each other": (
        lambda: with_graph([["relu", [], {}, [2]], ["relu", [], {}, [1]]]),
        FormatError,
        "not made yet",
    ),
    "a tied name that is tied to itself": (
        lambda: build({"tensors": [["t", [2, 3]]], "sections": [[24, CRC, 1]], "tied": {"t": 0}}, [bytes(24)]),
        FormatError,
        "two tensors have the same name",
    ),
    # Codes.
    "an oversubscribed code": (lambda: shared([1, 1, 1], b"\x58"), FormatError, "complete prefix code"),
    "an incomplete code": (lambda: shared([1, 2, 0], b"\x58"), FormatError, "complete prefix code"),
    "no code at all": (lambda: shared([0, 0, 0], b""), FormatError, "complete prefix code"),
    "a code of 13 bits": (lambda: shared([13, 2, 1], b"\x58"), FormatError, "code length"),
    "a stream that ends early": (
        lambda: shared([1, 2, 2], b"\x58", size=9),
        FormatError,
        "symbols do not decode to their length",
    ),
    "a stream that goes on": (
        lambda: shared([1, 2, 2], b"\x58\x00"),
        FormatError,
        "symbols do not decode to their length",
    ),
    # Positions.
    "gaps that leave the tensor": (
        lambda: sparse("0 11 11 0", escapes=2, size=7),
        FormatError,
        "gaps lead outside the tensor",
    ),
    "a chunk that starts outside": (lambda: sparse("0 0", start=9), FormatError, "start is out of range"),
    "an escape at the end": (lambda: sparse("0 11", stored=1, escapes=1), FormatError, "gaps lead outside the tensor"),
    "more stored than there are": (
        lambda: sparse("0 0", stored=9),
        FormatError,
        "number of stored weights is out of range",
    ),
    "planes of a code for more than bytes": (
        lambda: holding(b"\x02\xf0\x10" + bytes(20), (4,), "planes", "F16"),
        FormatError,
        "a code is for more than bytes",
    ),
    "a symbol beyond a wide codebook": (
        lambda: holding(bytes.fromhex("60 02 0001 04 02 0000 03 00 00 03"), (2,), "shared_wide", "I16"),
        FormatError,
        "a symbol is beyond the codebook",
    ),
    "a vector that three bytes make long": (
        lambda: holding(b"\x01\x01\xff", (4096,), "adaptive", "U8"),
        FormatError,
        "more elements than so few bytes may stand for",
    ),
    "a matrix that a byte makes large": (
        lambda: holding(b"\x00\x01\x3f\x00\x00\x00\x00\x01\x01\xff", (16, 17), "mixed"),
        FormatError,
        "more weights than so few bytes may stand for",
    ),
    "a kernel that makes counters many": (
        lambda: holding(b"\x00\x01\x3f\x00\x00\x00\x00\x01\x80\x10" + bytes(2048), (1, 1, 2, 20_000), "mixed"),
        FormatError,
        "more weights than so few bytes may stand for",
    ),
    # Numbers.
    "scales that are not numbers": (
        lambda: holding(np.float32([np.nan, 1]).tobytes() + b"\x60\x01", (2, 2), "shared_scaled"),
        FormatError,
        "not all are positive numbers",
    ),
    "centroids beyond the largest float": (
        lambda: holding(
            b"\x40\x01"
            + np.float32(3e38).tobytes()
            + bytes.fromhex("7fff")
            + lengths_bits([])
            + lengths_bits([1])
            + b"\x00",
            (2,),
            "shared",
        ),
        FormatError,
        "pass the largest float",
    ),
    "booleans of two": (lambda: holding(b"\x02", (1,), "raw", "BOOL"), FormatError, "neither 0 nor 1"),
    # Wrong sums.
    "a section of another checksum": (lambda: sections([24, CRC ^ 1, 1]), ChecksumError, "checksum mismatch"),
    "labels of another checksum": (
        lambda: build({"tensors": [], "sections": [], "labels": [2, 0]}, labels=b"ab"),
        ChecksumError,
        "labels at byte",
    ),
    # Texts.
    "a key twice": (lambda: build(b'{"tensors":[],"tensors":[],"sections":[]}'), FormatError, "a key stands twice"),
    "a name twice": (
        lambda: build({"tensors": [["t", [2, 3]]] * 2, "sections": [[48, zlib.crc32(bytes(48)), 2]]}, [bytes(48)]),
        FormatError,
        "two tensors have the same name",
    ),
    "a lone surrogate": (
        lambda: build(b'{"tensors":[["\\ud800",[0]]],"sections":[[0,0,1]]}'),
        FormatError,
        "not valid Unicode",
    ),
    "an encoding with an escape sequence for a name": (
        lambda: holding(b"", (1,), "\x1b[2J\nraw"),
        UnsupportedVersionError,
        "unknown encoding",
    ),
    "a number of 5,000 digits": (
        lambda: build(b'{"tensors":[],"sections":[],"later":' + b"9" * 5000 + b"}"),
        FormatError,
        "manifest is not JSON",
    ),
    "a file of another major version": (
        lambda: pack_header(b"")[:8] + b"\x02\x00" + bytes(30),
        UnsupportedVersionError,
        "2.0",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gives_its_error_soon_and_in_little_memory(name: str) -> None:
    make, kind, message = ATTACKS[name]
    data = make()
    assert len(data) < 300_000
    tracemalloc.start()
    try:
        error = refused(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(error) is kind
    assert message in str(error)
    assert peak < 80 << 20


CONTROL = "a\x1b[2J\r\n\u202eb\x00"


def test_names_with_control_characters_are_read_and_never_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dcz.cli import main

    path = tmp_path / "names.dcz"
    rows: list[Any] = [[CONTROL, [2, 3]]]
    path.write_bytes(build({"tensors": rows, "sections": [[24, CRC, 1]], "metadata": {CONTROL: CONTROL}}, [bytes(24)]))
    for command in (["info"], ["info", "-v"], ["info", "--manifest"], ["verify"]):
        assert main([*command, str(path)]) == 0
    path.write_bytes(build({"tensors": rows, "sections": [[24, CRC ^ 1, 1]]}, [bytes(24)]))
    assert main(["verify", str(path)]) == 1
    printed = capsys.readouterr()
    assert not {"\x1b", "\r", "\x00", "\u202e"} & set(printed.out + printed.err)
    assert main(["info", "--json", str(path)]) == 1


WRITER = """
import sys, time, os, signal
import numpy as np
from dcz.core import output
from dcz.dcformat import write
plain, place = os.fsync, sys.argv[2]
def stop(*arguments):
    os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    time.sleep(20)
if place == "fsync":
    os.fsync = stop
elif place == "rename":
    os.replace = stop
else:
    os.chmod = stop
write(sys.argv[1], None, {"t": np.arange(3000.0)})
"""


@pytest.mark.parametrize(("place", "number"), [("fsync", "SIGKILL"), ("chmod", "SIGTERM"), ("rename", "SIGKILL")])
def test_a_writer_that_is_killed_leaves_the_old_file_and_nothing_after_the_next(
    tmp_path: Path, place: str, number: str
) -> None:
    from dcz.dcformat import write

    path = tmp_path / "t.dcz"
    write(path, None, {"t": np.arange(5)})
    old = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", WRITER, str(path), place, number], check=False, timeout=60)
    assert killed.returncode < 0
    assert path.read_bytes() == old
    write(path, None, {"t": np.arange(7)})
    assert [file.name for file in tmp_path.iterdir()] == ["t.dcz"]
