"""Read a container: the header at once, each section when it is first needed, every checksum on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any, cast

from ...core.errors import FormatError, TruncatedError
from ...core.hub import fetched
from ...core.ranges import FileRanges, PathRanges, Ranges, Remote, is_ranges, is_url
from ...core.readahead import Content, Source, check_binary, name_of
from ..coding.bits import Bytes
from ..constants import MAX_MANIFEST_BYTES
from ..encoding.base import Payload
from ..graph.graph import Graph
from ..preprocess import Preprocess
from ..tensors import Array, SparseRaw, SparseShared, Tensor, to_csr
from .info import describe, outline
from .layout import HEADER_BYTES, check_crc, plan_layout, unpack_header
from .manifest import Manifest, TensorEntry, unpack_labels, unpack_manifest
from .sections import Sections, located

__all__ = ["Container", "TensorEntry", "open"]


class Container:
    """An open container. Safe to use from several threads; a context manager.

    Parameters
    ----------
    file : Ranges
        Closed with the container if it is `PathRanges`.
    path : str
        What to call it in messages.

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

    def __init__(self, file: Ranges, path: str) -> None:
        self.path = path
        self._file = file
        self._closed = False
        self.file_bytes = len(file)
        header = self._read(0, HEADER_BYTES)
        version, manifest_bytes, crc32 = unpack_header(header)
        self.format_version = f"{version[0]}.{version[1]}"
        if manifest_bytes > MAX_MANIFEST_BYTES:
            raise FormatError("manifest is too long", expected=f"at most {MAX_MANIFEST_BYTES}", found=manifest_bytes)
        self.manifest_bytes = HEADER_BYTES + manifest_bytes
        self._need(self.manifest_bytes)
        packed = self._read(HEADER_BYTES, manifest_bytes)
        check_crc([header[:-4], packed], crc32, "manifest")
        self.manifest: Manifest = unpack_manifest(packed, self.file_bytes, version[1])
        self._layout = plan_layout(self.manifest, manifest_bytes)
        self._need(self._layout.end)
        if self.file_bytes > self._layout.end:
            raise FormatError("bytes behind the end", expected=f"{self._layout.end} bytes", found=self.file_bytes)
        self.entries: Mapping[str, TensorEntry] = {entry.name: entry for entry in self.manifest.tensors}
        self._sections = Sections(self.manifest, self._layout.sections, self._read)

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ""
        return f"<dcz.Container {self.path!r}: {len(self.entries):,} tensors, {self.file_bytes:,} bytes{state}>"

    def _need(self, end: int) -> None:
        if self.file_bytes < end:
            raise TruncatedError("file is cut short", expected=f"{end} bytes", found=self.file_bytes)

    def _read(self, offset: int, count: int) -> Bytes:
        self._check_open()
        return self._file.read(offset, count)

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

    def _payload(self, name: str) -> Payload:
        """The parsed payload of a tensor."""
        self._check_name(name)
        try:
            return self._sections.payload(name)
        except FormatError as error:
            raise error.at(self.path) from None

    def _check_name(self, name: str) -> None:
        self._check_open()
        if name not in self._sections:
            raise KeyError(f"{self.path}: no tensor {name!r}")

    def decode(self, name: str) -> Tensor:
        """Decode a tensor into the form in which it is stored.

        Raises
        ------
        KeyError
            There is no such tensor.
        FormatError
        """
        payload = self._payload(name)
        try:
            return payload.decode()
        except FormatError as error:
            raise located(error, f"tensor {name!r}").at(self.path) from None

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
        self._check_name(name)
        try:
            yield from self._sections.pieces(name)
        except FormatError as error:
            raise error.at(self.path) from None

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
        return describe(
            self.manifest,
            map(self._payload, self.entries),
            format_version=self.format_version,
            file_bytes=self.file_bytes,
            manifest_bytes=self.manifest_bytes,
            labels=len(self.labels or []),
        )

    def outline(self) -> dict[str, Any]:
        """What the manifest alone tells, of a file elsewhere: without reading a section."""
        return outline(self.manifest, format_version=self.format_version, file_bytes=self.file_bytes)

    def verify(self) -> list[str]:
        """Check every checksum and decode everything.

        Returns
        -------
        list of str
            The problems; empty where the container is sound.
        """
        self._check_open()
        problems = [str(error) for error in self._sections.problems()]
        try:
            self.labels  # noqa: B018  (reading them checks them)
        except FormatError as error:
            problems.append(error.what + (f" ({error.where})" if error.where else ""))
        return problems

    def close(self) -> None:
        """Close the file, unless the caller opened it. What was decoded stays valid; nothing more can be."""
        self._closed = True
        if isinstance(self._file, PathRanges):
            self._file.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def payload_of(container: Container, name: str) -> Payload:
    """The parsed payload of a tensor: for what looks into a container, as the report does.

    Raises
    ------
    KeyError
        There is no such tensor.
    FormatError
    """
    return container._payload(name)


def open(file: Source | Ranges, name: str | None = None) -> Container:
    """Open a container: read its header and manifest, and each section when a tensor of it is first asked for.

    Parameters
    ----------
    file : path, URL, bytes-like, binary file, or Ranges
        A file is left open when the container is closed; of one that is not seekable, all is read at once. An address
        (``https://...``) is read through fsspec; from the Hugging Face Hub (``hf://org/name``) the file is fetched.
        `Ranges` is any object with ``len`` and ``read(offset, count)``.
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
        A file that is open as text; an address that fsspec cannot read here.
    OSError
        It cannot be read.
    """
    path = name or name_of(file)
    ranges = _ranges(fetched(file))
    try:
        return Container(ranges, path)
    except BaseException as error:
        if isinstance(ranges, PathRanges):
            ranges.close()
        if isinstance(error, FormatError):
            error.at(path)
        raise


def _ranges(source: Source | Ranges) -> Ranges:
    """The ranges of a source; of one that cannot be read by ranges, such as a pipe, all of it in memory."""
    if is_ranges(source):
        return source
    if is_url(source):
        return Remote(source)
    if isinstance(source, str | os.PathLike):
        return PathRanges(source) if os.path.isfile(source) else Content(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return Content(source)
    file = cast("IO[bytes]", source)
    check_binary(file)
    return FileRanges(file) if file.seekable() else Content(file)
