"""Where everything lies in a container: the one place that computes offsets, for the writer and for the reader.

::

    0   8 bytes   magic
    8   u16       major version
    10  u16       minor version
    12  u32       bytes of the compressed manifest
    16  u32       CRC-32 of bytes 0 to 15 and of the compressed manifest
    20  ...       compressed manifest
        ...       sections, one behind the other
        ...       compressed label list, where there is one
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from ...core.errors import ChecksumError, FormatError, TruncatedError, UnsupportedVersionError
from ..coding.bits import Bytes
from ..constants import MAGIC, VERSION_MAJOR
from .manifest import Manifest

_FIXED = struct.Struct("<8sHHI")
_CRC = struct.Struct("<I")
HEADER_BYTES = _FIXED.size + _CRC.size


@dataclass(frozen=True)
class Layout:
    """Offsets in a container.

    Attributes
    ----------
    sections : tuple of int
        Offset of each section.
    labels : int
        Offset of the label list (of the end, where there is none).
    end : int
        Size of the file.
    """

    sections: tuple[int, ...]
    labels: int
    end: int


def plan_layout(manifest: Manifest, manifest_bytes: int) -> Layout:
    """Lay a container out: manifest, sections, labels, without holes."""
    offset = HEADER_BYTES + manifest_bytes
    sections = []
    for section in manifest.sections:
        sections.append(offset)
        offset += section.nbytes
    return Layout(tuple(sections), offset, offset + (manifest.labels.nbytes if manifest.labels else 0))


def pack_header(manifest: bytes, minor: int = 0) -> bytes:
    """Header and compressed manifest, of a minor version."""
    fixed = _FIXED.pack(MAGIC, VERSION_MAJOR, minor, len(manifest))
    return fixed + _CRC.pack(zlib.crc32(manifest, zlib.crc32(fixed))) + manifest


def unpack_header(header: Bytes) -> tuple[tuple[int, int], int, int]:
    """Check the first `HEADER_BYTES` bytes of a file.

    Returns
    -------
    version : (int, int)
        Major and minor.
    manifest_bytes, crc32 : int

    Raises
    ------
    FormatError
        Not a container, damaged in a text-mode transfer, too short, or of another major version.
    """
    if header[:4] != MAGIC[:4]:
        found = f"first bytes {header[:8].hex(' ')}" if header else "an empty file"
        raise FormatError("not a .dcz container", expected=f"first bytes {MAGIC.hex(' ')}", found=found)
    if len(header) < HEADER_BYTES:
        raise TruncatedError("file ends in its header", expected=f"{HEADER_BYTES} bytes", found=len(header))
    magic, major, minor, manifest_bytes = _FIXED.unpack_from(header)
    if magic != MAGIC:
        raise FormatError(
            "file was damaged by a text-mode transfer",
            expected=f"first bytes {MAGIC.hex(' ')}",
            found=magic.hex(" "),
            hint="copy it again in binary mode",
        )
    if major != VERSION_MAJOR:
        raise UnsupportedVersionError(
            "format version is not supported",
            expected=f"{VERSION_MAJOR}.x",
            found=f"{major}.{minor}",
            hint="a newer dcz may read it",
        )
    return (major, minor), manifest_bytes, _CRC.unpack_from(header, _FIXED.size)[0]


def crc32_of(parts: Iterable[Bytes]) -> int:
    """Checksum of data that lie one behind the other."""
    return reduce(lambda crc32, part: zlib.crc32(part, crc32), parts, 0)


def check_crc(parts: Iterable[Bytes], expected: int, where: str) -> None:
    """Compare a checksum.

    Raises
    ------
    ChecksumError
    """
    found = crc32_of(parts)
    if found != expected:
        raise ChecksumError("checksum mismatch", where=where, expected=f"{expected:#010x}", found=f"{found:#010x}")
