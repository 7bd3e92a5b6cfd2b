"""The sections of an open container: each is read, checked and parsed when a tensor of it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import prod

import numpy as np

from ...core.errors import FormatError
from ..coding.bits import Bytes
from ..encoding.base import Payload
from ..encoding.table import Encoding, parse
from ..tensors import DTYPES, PIECE, Array
from .layout import check_crc
from .manifest import Manifest, TensorEntry


class Sections:
    """Reads payloads. Safe to use from several threads.

    Parameters
    ----------
    manifest : Manifest
    offsets : sequence of int
        Of each section in the file.
    read : callable
        ``read(offset, count)`` gives bytes of the file.
    """

    def __init__(self, manifest: Manifest, offsets: tuple[int, ...], read: Callable[[int, int], Bytes]) -> None:
        self._sections = manifest.sections
        self._offsets = offsets
        self._read = read
        self._recent = threading.local()
        self._entries: Mapping[str, TensorEntry] = {entry.name: entry for entry in manifest.tensors}
        self._names: list[list[str]] = []
        self._place_of: dict[str, tuple[int, int]] = {}
        names = iter(self._entries)
        for number, section in enumerate(self._sections):
            self._names.append(list(islice(names, section.tensors)))
            self._place_of |= {name: (number, place) for place, name in enumerate(self._names[number])}
        self._place_of |= {name: self._place_of[stored] for name, stored in manifest.tied.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._place_of

    def title(self, number: int) -> str:
        """Name a section for messages: number, tensors, offset."""
        names = self._names[number]
        names = names if len(names) < 3 else [names[0], "...", names[-1]]
        listed = ", ".join(name if name == "..." else repr(name) for name in names)
        return f"section {number} ({listed}) at byte {self._offsets[number]:#x}"

    def payload(self, name: str) -> Payload:
        """Read the section of a tensor; its payload.

        Raises
        ------
        FormatError
            A wrong checksum, or a header in that section that does not fit.
        """
        number, place = self._place_of[name]
        return self._payloads(number)[place]

    def pieces(self, name: str) -> Iterator[Array]:
        """Decode a tensor to its elements in order, flat, some at a time.

        Raises
        ------
        FormatError
        """
        number, place = self._place_of[name]
        if (plain := self._plain_from(number)) is None:
            yield from self._payloads(number)[place].pieces()
        elif place == len(self._names[number]) - 1:
            self._check(number)
            dtype = DTYPES[self._entries[name].dtype]
            yield from (np.frombuffer(data, dtype) for data in self._read_pieces(number, plain))
        else:
            self._check(number)
            head = self._read(self._offsets[number], plain)
            yield from self._parse(number, head, self._names[number][:-1])[place].pieces()

    def problems(self) -> Iterator[FormatError]:
        """Check every checksum and decode everything; the errors."""
        for number in range(len(self._sections)):
            try:
                payloads = self._payloads(number)
            except FormatError as error:
                yield error
                continue
            for payload, name in zip(payloads, self._names[number], strict=True):
                try:
                    payload.decode()
                except FormatError as error:
                    yield located(error, f"tensor {name!r}, {self.title(number)}")

    def _payloads(self, number: int) -> list[Payload]:
        """Read a section and the headers of its tensors."""
        if getattr(self._recent, "number", -1) == number:  # a layer's tensors mostly share a section
            recent: list[Payload] = self._recent.payloads
            return recent
        self._recent.number, self._recent.payloads = -1, []  # its data goes before the next one's comes
        section = self._sections[number]
        data = self._read(self._offsets[number], section.nbytes)
        check_crc([data], section.crc32, self.title(number))
        payloads = self._parse(number, data, self._names[number])
        self._recent.number, self._recent.payloads = number, payloads
        return payloads

    def _parse(self, number: int, data: Bytes, names: list[str]) -> list[Payload]:
        """Read the headers of the tensors that fill the data."""
        payloads: list[Payload] = []
        offset = 0
        for name in names:
            entry = self._entries[name]
            try:
                payload = parse(data, offset, entry.shape, entry.dtype, entry.encoding)
            except FormatError as error:
                raise located(error, f"tensor {name!r}, {self.title(number)}") from None
            payloads.append(payload)
            offset = payload.end
        if offset != len(data):
            raise FormatError(
                "section has bytes behind its last tensor",
                where=self.title(number),
                expected=offset,
                found=len(data),
            )
        return payloads

    def _plain_from(self, number: int) -> int | None:
        """The byte of a section at which a large plain tensor begins that ends it, if one does."""
        entry, section = self._entries[self._names[number][-1]], self._sections[number]
        nbytes = prod(entry.shape) * DTYPES[entry.dtype].itemsize
        plain = entry.encoding == Encoding.RAW and entry.dtype != "BOOL" and PIECE < nbytes <= section.nbytes
        return section.nbytes - nbytes if plain else None

    def _read_pieces(self, number: int, start: int = 0) -> Iterator[Bytes]:
        """A section from some byte on."""
        offset, end = self._offsets[number], self._sections[number].nbytes
        return (self._read(offset + begin, min(PIECE, end - begin)) for begin in range(start, end, PIECE))

    def _check(self, number: int) -> None:
        """Compare the checksum of a section that is too large to be in memory for that."""
        check_crc(self._read_pieces(number), self._sections[number].crc32, self.title(number))


def located(error: FormatError, where: str) -> FormatError:
    """Put a place in front of that which an error names."""
    error.where = f"{where}, {error.where}" if error.where else where
    return error
