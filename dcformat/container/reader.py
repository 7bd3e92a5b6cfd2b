"""Read a container: the header at once, each section when it is first needed, every checksum on the way."""

from __future__ import annotations

import builtins
import os
import threading
from collections.abc import Iterator, Mapping
from itertools import islice
from math import prod
from types import TracebackType
from typing import IO, Any

import numpy as np

from ...core.errors import FormatError, TruncatedError
from ...core.readahead import Content, Source, check_binary, name_of
from ..coding.bits import Bytes
from ..constants import MAX_MANIFEST_BYTES
from ..encoding.base import Encoding
from ..encoding.decode import Payload, parse
from ..graph.graph import Graph
from ..preprocess import Preprocess
from ..tensors import DTYPES, PIECE, Array, SparseRaw, SparseShared, Tensor, to_csr
from .info import describe
from .layout import HEADER_BYTES, check_crc, plan_layout, unpack_header
from .manifest import Manifest, TensorEntry, unpack_labels, unpack_manifest

__all__ = ["Container", "TensorEntry", "open"]


class Container:
    """An open container. Safe to use from several threads; a context manager.

    Parameters
    ----------
    file : binary file or Content
        A file may be positioned anywhere; it must be seekable.
    path : str
        What to call it in messages.
    owned : bool
        Whether `close` closes the file.

    Attributes
    ----------
    path : str
    format_version : str
        ``"major.minor"``.
    file_bytes : int
    manifest_bytes : int
        Header and compressed manifest.
    manifest : Manifest
    entries : mapping of str to TensorEntry
        By name, in stored order. Further names of these (`tied`) are not among them, but wherever a name is asked for,
        they will do.

    Raises
    ------
    FormatError
        The header or the manifest is not valid, or the file is not as long as they say.
    """

    def __init__(self, file: IO[bytes] | Content, path: str, *, owned: bool = True) -> None:
        self.path = path
        self._file = file
        self._owned = owned
        self._closed = False
        self._lock = threading.Lock()
        self._recent = threading.local()
        self.file_bytes = len(file) if isinstance(file, Content) else file.seek(0, os.SEEK_END)
        header = self._read(0, HEADER_BYTES)
        version, manifest_bytes, crc32 = unpack_header(header)
        self.format_version = f"{version[0]}.{version[1]}"
        if manifest_bytes > MAX_MANIFEST_BYTES:
            raise FormatError("manifest is too long", expected=f"at most {MAX_MANIFEST_BYTES}", found=manifest_bytes)
        self.manifest_bytes = HEADER_BYTES + manifest_bytes
        self._need(self.manifest_bytes)
        packed = self._read(HEADER_BYTES, manifest_bytes)
        check_crc([header[:-4], packed], crc32, "manifest")
        self.manifest: Manifest = unpack_manifest(packed, self.file_bytes)
        self._layout = plan_layout(self.manifest, manifest_bytes)
        self._need(self._layout.end)
        if self.file_bytes > self._layout.end:
            raise FormatError("bytes behind the end", expected=f"{self._layout.end} bytes", found=self.file_bytes)
        self.entries: Mapping[str, TensorEntry] = {entry.name: entry for entry in self.manifest.tensors}
        self._section_of: dict[str, tuple[int, int]] = {}
        self._names: list[list[str]] = []
        names = iter(self.entries)
        for number, section in enumerate(self.manifest.sections):
            self._names.append(list(islice(names, section.tensors)))
            self._section_of |= {name: (number, place) for place, name in enumerate(self._names[number])}
        self._section_of |= {name: self._section_of[stored] for name, stored in self.tied.items()}

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ""
        return f"<dcz.Container {self.path!r}: {len(self.entries):,} tensors, {self.file_bytes:,} bytes{state}>"

    def _need(self, end: int) -> None:
        if self.file_bytes < end:
            raise TruncatedError("file is cut short", expected=f"{end} bytes", found=self.file_bytes)

    def _read(self, offset: int, count: int) -> Bytes:
        if isinstance(self._file, Content):
            self._check_open()
            return self._file.read(offset, count)
        with self._lock:
            self._check_open()
            self._file.seek(offset)
            return self._file.read(count)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.path}: the container is closed")

    @property
    def graph(self) -> Graph | None:
        """The operator graph; None in a weights-only container."""
        return self.manifest.graph

    @property
    def preprocess(self) -> Preprocess | None:
        """How an image becomes the input, where the container says."""
        return self.manifest.preprocess

    @property
    def metadata(self) -> Mapping[str, str]:
        """Free text by key."""
        return self.manifest.metadata

    @property
    def tied(self) -> Mapping[str, str]:
        """Further names of tensors, as of weights that two layers share: the name in `entries` of each."""
        return self.manifest.tied

    @property
    def labels(self) -> list[str] | None:
        """Names of the classes, where the container has them.

        Raises
        ------
        FormatError
        """
        place = self.manifest.labels
        if place is None:
            return None
        try:
            data = self._read(self._layout.labels, place.nbytes)
            check_crc([data], place.crc32, f"labels at byte {self._layout.labels:#x}")
            return unpack_labels(data)
        except FormatError as error:
            raise error.at(self.path) from None

    def section_name(self, number: int) -> str:
        """Name a section for messages: number, tensors, offset."""
        names = self._names[number]
        names = names if len(names) < 3 else [names[0], "...", names[-1]]
        listed = ", ".join(name if name == "..." else repr(name) for name in names)
        return f"section {number} ({listed}) at byte {self._layout.sections[number]:#x}"

    def payloads(self, number: int) -> list[Payload]:
        """Read a section and the headers of its tensors.

        Raises
        ------
        FormatError
            A wrong checksum, or a header that does not fit.
        """
        self._check_open()
        if getattr(self._recent, "number", -1) == number:  # a layer's tensors mostly share a section
            recent: list[Payload] = self._recent.payloads
            return recent
        self._recent.number, self._recent.payloads = -1, []  # its data goes before the next one's comes
        section = self.manifest.sections[number]
        data = self._read(self._layout.sections[number], section.nbytes)
        check_crc([data], section.crc32, self.section_name(number))
        payloads = self._parse(number, data, self._names[number])
        self._recent.number, self._recent.payloads = number, payloads
        return payloads

    def _parse(self, number: int, data: Bytes, names: list[str]) -> list[Payload]:
        """Read the headers of the tensors that fill the data."""
        payloads: list[Payload] = []
        offset = 0
        for name in names:
            entry = self.entries[name]
            try:
                payload = parse(data, offset, entry.shape, entry.dtype, entry.encoding)
            except FormatError as error:
                raise _located(error, f"tensor {name!r}, {self.section_name(number)}") from None
            payloads.append(payload)
            offset = payload.end
        if offset != len(data):
            raise FormatError(
                "section has bytes behind its last tensor",
                where=self.section_name(number),
                expected=offset,
                found=len(data),
            )
        return payloads

    def _place(self, name: str) -> tuple[int, int]:
        """Number of the section that holds a tensor, and its place there."""
        if name not in self._section_of:
            raise KeyError(f"{self.path}: no tensor {name!r}")
        return self._section_of[name]

    def payload(self, name: str) -> Payload:
        """The parsed payload of a tensor.

        Raises
        ------
        KeyError
            There is no such tensor.
        FormatError
        """
        number, place = self._place(name)
        try:
            return self.payloads(number)[place]
        except FormatError as error:
            raise error.at(self.path) from None

    def decode(self, name: str) -> Tensor:
        """Decode a tensor into the form in which it is stored.

        Raises
        ------
        KeyError
            There is no such tensor.
        FormatError
        """
        payload = self.payload(name)
        try:
            return payload.decode()
        except FormatError as error:
            raise _located(error, f"tensor {name!r}").at(self.path) from None

    def tensor(self, name: str) -> Array:
        """Decode a tensor to a dense array, shaped and typed as it came in (BF16: its bits as uint16)."""
        return self.decode(name).dense()

    def pieces(self, name: str) -> Iterator[Array]:
        """Decode a tensor to its elements in order, flat, some at a time; of the types that `tensor` gives.

        Takes memory for the tensor in the form in which it is stored, and for a large plain one next to none.

        Raises
        ------
        KeyError
            There is no such tensor.
        FormatError
        """
        number, place = self._place(name)
        try:
            if (plain := self._plain_from(number)) is None:
                yield from self.payloads(number)[place].pieces()
            elif place == len(self._names[number]) - 1:
                self._check_section(number)
                dtype = DTYPES[self.entries[name].dtype]
                yield from (np.frombuffer(data, dtype) for data in self._read_pieces(number, plain))
            else:
                self._check_section(number)
                head = self._read(self._layout.sections[number], plain)
                yield from self._parse(number, head, self._names[number][:-1])[place].pieces()
        except FormatError as error:
            raise error.at(self.path) from None

    def _plain_from(self, number: int) -> int | None:
        """The byte of a section at which a large plain tensor begins that ends it, if one does."""
        entry, section = self.entries[self._names[number][-1]], self.manifest.sections[number]
        nbytes = prod(entry.shape) * DTYPES[entry.dtype].itemsize
        plain = entry.encoding == Encoding.RAW and entry.dtype != "BOOL" and PIECE < nbytes <= section.nbytes
        return section.nbytes - nbytes if plain else None

    def _read_pieces(self, number: int, start: int = 0) -> Iterator[Bytes]:
        """A section from some byte on."""
        offset, end = self._layout.sections[number], self.manifest.sections[number].nbytes
        return (self._read(offset + begin, min(PIECE, end - begin)) for begin in range(start, end, PIECE))

    def _check_section(self, number: int) -> None:
        """Compare the checksum of a section that is too large to be in memory for that."""
        check_crc(self._read_pieces(number), self.manifest.sections[number].crc32, self.section_name(number))

    def csr(self, name: str) -> SparseShared | SparseRaw:
        """Decode a tensor to CSR, whatever its encoding.

        Raises
        ------
        KeyError
            There is no such tensor.
        ValueError
            It has no rows (a scalar), or is BF16 or of integers.
        FormatError
        """
        return to_csr(self.decode(name))

    def info(self) -> dict[str, Any]:
        """Sizes, ratios and a row a tensor: what ``dcz info --json`` prints."""
        return describe(self)

    def verify(self) -> list[str]:
        """Check every checksum and decode everything.

        Returns
        -------
        list of str
            The problems; empty where the container is sound.
        """
        problems = []
        for number in range(len(self.manifest.sections)):
            try:
                for payload, name in zip(self.payloads(number), self._names[number], strict=True):
                    try:
                        payload.decode()
                    except FormatError as error:
                        problems.append(str(_located(error, f"tensor {name!r}, {self.section_name(number)}")))
            except FormatError as error:
                problems.append(str(error))
        try:
            self.labels  # noqa: B018  (reading them checks them)
        except FormatError as error:
            problems.append(error.what + (f" ({error.where})" if error.where else ""))
        return problems

    def close(self) -> None:
        """Close the file, unless the caller opened it. What was decoded stays valid; nothing more can be."""
        with self._lock:
            self._closed = True
            if self._owned and not isinstance(self._file, Content):
                self._file.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _located(error: FormatError, where: str) -> FormatError:
    error.where = f"{where}, {error.where}" if error.where else where
    return error


def open(file: Source | Content, name: str | None = None) -> Container:
    """Open a container.

    Parameters
    ----------
    file : path, bytes-like, binary file, or Content
        A file is left open when the container is closed; of one that is not seekable, all is read at once.
    name : str, optional
        What to call it in messages, if not by its own name.

    Returns
    -------
    Container

    Raises
    ------
    FormatError
        It is not a valid container.
    InputError
        A file that is open as text.
    OSError
        It cannot be read.
    """
    owned = isinstance(file, str | os.PathLike)
    path = name or ("<stream>" if isinstance(file, Content) else name_of(file))
    stream = _stream(file)
    try:
        return Container(stream, path, owned=owned)
    except BaseException as error:
        if owned and not isinstance(stream, Content):
            stream.close()
        if isinstance(error, FormatError):
            error.at(path)
        raise


def _stream(file: Source | Content) -> IO[bytes] | Content:
    """What a container reads from: a seekable file, or what is in memory."""
    if isinstance(file, Content):
        return file
    if isinstance(file, bytes | bytearray | memoryview):
        return Content(file)
    if isinstance(file, str | os.PathLike):
        stream = builtins.open(file, "rb")  # noqa: SIM115 (the container closes it)
        if stream.seekable():
            return stream
        with stream:  # a pipe
            return Content(stream)
    check_binary(file)
    return file if file.seekable() else Content(file)
