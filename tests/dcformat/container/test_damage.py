"""Damaged files: checksums and lengths tell, wherever the damage is."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pytest
from containers import deflate
from hostile import read_all, refused

from dcz.dcformat import ChecksumError, FormatError, TruncatedError, UnsupportedVersionError
from dcz.dcformat import open as open_container
from dcz.dcformat.constants import MAGIC
from dcz.dcformat.container.manifest import DICTIONARY


@pytest.fixture(scope="module")
def full(path: Path) -> bytes:
    return path.read_bytes()


def test_the_full_container_is_sound(full: bytes) -> None:
    read_all(full)
    assert open_container(io.BytesIO(full)).verify() == []
    assert len(full) < 4000, "it is flipped byte by byte"


# Damage: checksums tell.


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_is_found(full: bytes, mask: int) -> None:
    for at in range(len(full)):
        data = bytearray(full)
        data[at] ^= mask
        if at in (10, 11):
            continue  # the minor version: the checksum of the header tells, as the next test shows
        try:
            container = open_container(io.BytesIO(bytes(data)))
        except FormatError:
            continue
        problems = container.verify()
        assert len(problems) == 1, f"byte {at}"
        assert "checksum" in problems[0]
        with pytest.raises(ChecksumError):
            read_all(bytes(data))


def test_header_is_under_its_checksum(full: bytes) -> None:
    for at in (10, 11, 16, 17, 18, 19):
        data = bytearray(full)
        data[at] ^= 1
        with pytest.raises(ChecksumError, match="manifest"):
            open_container(io.BytesIO(bytes(data)))


def test_every_truncation_and_every_longer_file_is_refused(full: bytes) -> None:
    for size in range(len(full)):
        error = refused(full[:size])
        if size >= 20:
            assert isinstance(error, TruncatedError)
    assert "behind the end" in str(refused(full + b"\0"))


def test_a_swapped_section_is_found(full: bytes) -> None:
    container = open_container(io.BytesIO(full))
    start = container.manifest_bytes
    middle = start + sum(s.nbytes for s in container.manifest.sections) // 2
    assert refused(full[:start] + full[middle : 2 * middle - start] + full[start:middle] + full[2 * middle - start :])


# Headers.


def test_headers() -> None:
    assert "empty file" in str(refused(b""))
    assert "not a .dcz" in str(refused(b"PK\x03\x04" + b"\0" * 100))
    assert "text-mode" in str(refused(MAGIC.replace(b"\r\n", b"\n") + b"\0" * 30))
    assert isinstance(refused(MAGIC + b"\x02\0\0\0" + b"\0" * 30), UnsupportedVersionError)
    assert "too long" in str(refused(MAGIC + b"\x01\0\0\0" + b"\xff" * 30))


def test_a_newer_minor_version_with_unknown_keys_is_read() -> None:
    text = deflate(b'{"tensors":[],"sections":[],"later":{"x":[1]}}', DICTIONARY)
    fixed = MAGIC + b"\x01\0\x09\0" + len(text).to_bytes(4, "little")
    data = fixed + zlib.crc32(fixed + text).to_bytes(4, "little") + text
    with open_container(io.BytesIO(data)) as container:
        assert container.format_version == "1.9"
        assert container.verify() == []
