"""Reading what cannot be trusted, and the parts that hostile payloads are made of."""

from __future__ import annotations

import io

import numpy as np
import pytest

from dcz.dcformat import FormatError
from dcz.dcformat import open as open_container
from dcz.dcformat.coding.bits import BitWriter, write_varint, zigzag


def read_all(data: bytes) -> None:
    """Use everything that a container offers."""
    with open_container(io.BytesIO(data)) as container:
        for name in container.entries:
            container.tensor(name)
        container.info()
        container.labels  # noqa: B018


def refused(data: bytes) -> FormatError:
    """The error that a file gives: always the same kind, on one line, whichever way it is read."""
    with pytest.raises(FormatError) as caught:
        read_all(data)
    assert "\n" not in str(caught.value)
    try:
        container = open_container(io.BytesIO(data))
    except FormatError:
        return caught.value
    assert container.verify()
    return caught.value


def lengths_bits(*tables: list[int]) -> bytes:
    out = BitWriter()
    for table in tables:
        out.numbers(zigzag(np.diff(table, prepend=0).tolist()))
    return out.tobytes()


def varints(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        write_varint(out, value)
    return bytes(out)


def outcome(data: bytes) -> str:
    """Read, or refused; the memory that a tensor of these sizes may take is all that is taken."""
    try:
        read_all(data)
    except FormatError:
        return "refused"
    return "read"
