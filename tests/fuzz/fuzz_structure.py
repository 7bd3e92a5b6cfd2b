"""Files taken apart, changed and put together again with right lengths and checksums: what a fuzzer needs to get deep.

A change goes into the manifest's JSON or into the bytes of a section. Only some files keep the checksums that were
right before, since a checksum stops nearly all other damage.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dcz.dcformat.container.layout import HEADER_BYTES, pack_header
from dcz.dcformat.container.manifest import DICTIONARY
from dcz.dcformat.encoding.table import Encoding
from dcz.dcformat.tensors import DTYPES

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 8, 255, 256, 4096, 16384, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 62,
    1 << 63, -(1 << 31), 1e-5, 1.5, 1e308, "", "raw", "F32", "F64", "t", "\x00", "\u202e", "a" * 300, [], [0], [1, 1],
    [1 << 20] * 3, {},
]  # fmt: skip
"""Values that are a limit, or of another kind."""
BYTES = [b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff" * 9, b"\x80" * 9, bytes(8), b"\xff" * 16]
KEEP_CHECKSUMS = 0.03


@dataclass
class Parts:
    """A file in parts.

    Attributes
    ----------
    minor : int
    manifest : object
        JSON, of whatever kind.
    sections : list of bytes
    labels : bytes or None
    """

    minor: int
    manifest: Any
    sections: list[bytes]
    labels: bytes | None

    @staticmethod
    def of(data: bytes) -> Parts | None:
        """Take a file apart; None where that is not possible."""
        found = _taken_apart(data)
        if found is None:
            return None
        minor, text, sections, labels = found
        return Parts(minor, json.loads(text), list(sections), labels)

    def together(self, right: bool = True) -> bytes:
        """The file; with right lengths and checksums, if its manifest has places for them."""
        if right and isinstance(self.manifest, dict):
            rows = self.manifest.get("sections")
            if isinstance(rows, list):
                for row, section in zip(rows, self.sections, strict=False):
                    if isinstance(row, list) and len(row) == 3:
                        row[:2] = len(section), zlib.crc32(section)
            if "labels" in self.manifest and self.labels is not None:
                self.manifest["labels"] = [len(self.labels), zlib.crc32(self.labels)]
        stream = zlib.compressobj(0, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        packed = stream.compress(json.dumps(self.manifest).encode()) + stream.flush()
        return pack_header(packed, self.minor) + b"".join(self.sections) + (self.labels or b"")


@lru_cache(maxsize=1024)
def _taken_apart(data: bytes) -> tuple[int, bytes, tuple[bytes, ...], bytes | None] | None:
    """Minor version, manifest as text, sections and labels of a file; most files are taken apart many times."""
    try:
        minor, length = struct.unpack_from("<HI", data, 10)
        at = HEADER_BYTES + length
        text = zlib.decompressobj(-15, zdict=DICTIONARY).decompress(data[HEADER_BYTES:at], 1 << 20)
        manifest = json.loads(text)
        sections = []
        for row in manifest["sections"]:
            sections.append(data[at : at + row[0]])
            at += row[0]
        return minor, text, tuple(sections), data[at:] if "labels" in manifest else None
    except (struct.error, zlib.error, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None


def changed(data: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Change a file in one to four places; `others` are files whose sections may be taken."""
    parts = Parts.of(data)
    if parts is None or rng.random() < 0.02:
        return changed_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        kind = rng.random()
        if kind < 0.5 and parts.sections:
            i = rng.randrange(len(parts.sections))
            parts.sections[i] = changed_bytes(parts.sections[i], rng)
        elif kind < 0.6 and others and parts.sections:
            other = Parts.of(rng.choice(others))
            if other is not None and other.sections:
                parts.sections[rng.randrange(len(parts.sections))] = rng.choice(other.sections)
        elif kind < 0.75:
            _change_tensor(parts.manifest, rng)
        elif kind < 0.8 and parts.labels is not None:
            parts.labels = changed_bytes(parts.labels, rng)
        else:
            parts.manifest = _change_json(parts.manifest, rng)
    return parts.together(rng.random() >= KEEP_CHECKSUMS)


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, replace, insert, remove, repeat or cut; near the front more often, where headers are."""
    if not data:
        return rng.choice(BYTES)
    at = min(rng.randrange(len(data)), rng.randrange(len(data) if rng.random() < 0.3 else min(len(data), 80)))
    size = rng.choice((1, 1, 1, 2, 4, 8, 64))
    kind = rng.randrange(7)
    if kind < 2:
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if kind == 2:
        new = rng.choice(BYTES)
        return data[:at] + new + data[at + len(new) :]
    if kind == 3:
        return data[:at] + rng.choice((rng.choice(BYTES), rng.randbytes(size))) + data[at:]
    if kind == 4:
        return data[:at] + data[at + size :]
    if kind == 5:
        return data[:at] + data[at : at + size] * 2 + data[at + size :]
    return data[:at] if rng.random() < 0.3 else data[:at] + rng.randbytes(size) + data[at + size :]


def _change_tensor(manifest: Any, rng: random.Random) -> None:
    """Give a tensor another encoding, type or shape that a reader knows."""
    rows = manifest.get("tensors") if isinstance(manifest, dict) else None
    if not isinstance(rows, list) or not rows:
        return
    row = rng.choice(rows)
    if not isinstance(row, list) or len(row) < 2:
        return
    row += ["raw", "F32"][len(row) - 2 :]
    what = rng.randrange(3)
    if what == 0:
        row[2] = rng.choice(list(Encoding)).value
    elif what == 1:
        row[3] = rng.choice(list(DTYPES))
    elif isinstance(row[1], list):
        shifted = [n + rng.choice((-1, 1)) for n in row[1] if type(n) is int]
        limits = [rng.choice((0, 1, 2, 100, 1 << 14, 1 << 21, 1 << 31)) for _ in range(rng.randrange(4))]
        row[1] = rng.choice((row[1][::-1], [*row[1], 1], [1, *row[1]], row[1][1:], shifted, limits))


def _change_json(value: Any, rng: random.Random) -> Any:
    """Replace, remove, repeat or exchange a value at any depth."""
    if isinstance(value, list | dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        kind = rng.randrange(12)
        if kind == 0:
            del value[key]
        elif kind == 1 and isinstance(value, list):
            value.insert(key, _copy(value[key]))
        elif kind == 2 and isinstance(value, list):
            other = rng.randrange(len(value))
            value[key], value[other] = value[other], value[key]
        elif kind == 3 and isinstance(value, dict):
            value[rng.choice(("tied", "graph", "labels", "later", "output", "resize"))] = _copy(value[key])
        else:
            value[key] = _change_json(value[key], rng)
        return value
    if type(value) is int and rng.random() < 0.4:
        return value + rng.choice((-1, 1, 2, 1 << 20))
    return _copy(rng.choice(VALUES))


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))
