"""Write a container: encode each tensor, gather sections, and put the file in its place once it is whole."""

from __future__ import annotations

import os
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import prod
from typing import IO

from ...core.errors import FormatError
from ...core.output import replacing
from ..coding.bits import Bytes
from ..constants import FREE_ELEMENTS, MAX_EXPANSION
from ..encoding.table import DEFAULT, LEAST_GAIN, Encoding, encode_at_gains, encode_raw, encode_tensor, parse
from ..graph.graph import Graph, Shape
from ..graph.legal import infer_shapes
from ..preprocess import Preprocess
from ..tensors import DTYPES, Array, Dense, dtype_name
from .layout import crc32_of, pack_header
from .manifest import Manifest, Section, TensorEntry, pack_labels, pack_manifest, unpack_labels, unpack_manifest
from .reader import Container, payload_of
from .spool import Spool, Spooled, blocks_of

SECTION_BYTES, LATER_SECTION_BYTES = 1 << 12, 1 << 14
"""A section is closed once it holds this much: a damaged byte is traced to few tensors, and a checksum costs little: 11
bytes, which weigh more in the denser files of format 1.1."""

SMALL_BYTES = 1 << 14
"""Tensors of fewer bytes are small: a few bytes matter, and to encode one takes little time."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A tensor as a container stores it.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        A key of `DTYPES`.
    encoding : Encoding
    payload : bytes-like or Spooled
        Of a tensor that is stored plainly, its own memory.
    among : collection of Encoding
        Encodings that were to choose from.
    newest : (Encoding, bytes-like), optional
        What `renewed` gives, where that is known.
    """

    shape: Shape
    dtype: str
    encoding: Encoding
    payload: Bytes | Spooled
    among: Collection[Encoding] = DEFAULT
    newest: tuple[Encoding, Bytes] | None = None

    @property
    def size(self) -> int:
        """Number of weights, zeros counted."""
        return prod(self.shape)

    def decode(self) -> Dense:
        """Decode the tensor."""
        payload = self.payload.read() if isinstance(self.payload, Spooled) else self.payload
        tensor = parse(payload, 0, self.shape, self.dtype, self.encoding).decode()
        return Dense(tensor.dense(), self.dtype)

    def plain(self) -> Encoded:
        """The same tensor, stored plainly."""
        return replace(self, encoding=Encoding.RAW, payload=encode_raw(self.decode()))

    def renewed(self) -> Encoded:
        """The same tensor, with encodings of the latest version wherever they are shorter."""
        encoding, payload = self.newest or encode_tensor(self.decode(), self.among, least_gain=0)
        return replace(self, encoding=encoding, payload=payload)

    def in_file(self, spool: Spool) -> Encoded:
        """The same tensor, with its payload in a file, unless that is small."""
        small = len(self.payload) < SMALL_BYTES
        return self if small or isinstance(self.payload, Spooled) else replace(self, payload=spool.keep(self.payload))


def encode(name: str, tensor: Array | Dense, among: Collection[Encoding] = DEFAULT) -> Encoded:
    """Encode a tensor losslessly, in the encoding of `among` that takes the fewest bytes.

    `write` does so itself. To encode tensors one by one, and drop each when that is done, takes less memory, and less
    still with their payloads in a file (`Encoded.in_file`).

    Raises
    ------
    FormatError
        The format cannot hold it; names `name`.
    """
    dense = _as_dense(name, tensor)
    (encoding, payload), newest = encode_at_gains(dense, among, (LEAST_GAIN, 0))
    known = newest if len(payload) < SMALL_BYTES else None
    return Encoded(dense.shape, dense.dtype, encoding, payload, among, known)


def stored(container: Container) -> dict[str, Encoded]:
    """All tensors of a container as they are stored in it, by name, for another container that is to have them."""
    found = {}
    for name, entry in container.entries.items():
        payload = payload_of(container, name)
        data = payload.data[payload.end - sum(payload.parts.values()) : payload.end]
        found[name] = Encoded(entry.shape, entry.dtype, entry.encoding, data, (entry.encoding,))
    return found


def write(
    file: str | os.PathLike[str] | IO[bytes],
    graph: Graph | None,
    tensors: Mapping[str, Array | Dense | Encoded],
    *,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    tied: Mapping[str, str] | None = None,
) -> None:
    """Write a container.

    Every tensor is stored losslessly, in the encoding that takes the fewest bytes. The same arguments give the same
    bytes.

    Parameters
    ----------
    file : path or binary file
        What a path leads to is replaced only once the new file is whole.
    graph : Graph or None
        None for a weights-only container.
    tensors : mapping of str to ndarray, Dense or Encoded
        By name, in the order in which they are stored. Those that the graph does not use are stored too.
    preprocess : Preprocess, optional
    labels : sequence of str, optional
        Names of the output's classes.
    metadata : mapping of str to str, optional
    tied : mapping of str to str, optional
        Further names of tensors, as of weights that layers share: the name in `tensors` of each.

    Raises
    ------
    FormatError
        A tensor that the format cannot hold; a graph or a further name that does not fit the tensors.
    OSError
        The file cannot be written.
    """
    if graph is not None:
        infer_shapes(graph, {name: tensor.shape for name, tensor in tensors.items()})
    encoded = {n: t if isinstance(t, Encoded) else encode(n, t) for n, t in tensors.items()}
    _renew(encoded, at_any_gain=bool(Manifest(graph, _entries(encoded), ()).minor_version))
    _fill_up(encoded)
    section_bytes = LATER_SECTION_BYTES if Manifest(graph, _entries(encoded), ()).minor_version else SECTION_BYTES
    sections = list(_gather([tensor.payload for tensor in encoded.values()], section_bytes))
    packed_labels = pack_labels(labels) if labels is not None else b""
    manifest = Manifest(
        graph=graph,
        tensors=_entries(encoded),
        sections=tuple(map(_section, sections)),
        preprocess=preprocess,
        labels=Section(len(packed_labels), zlib.crc32(packed_labels), 0) if labels is not None else None,
        metadata=metadata or {},
        tied=tied or {},
    )
    packed = pack_manifest(manifest)
    head = pack_header(packed, manifest.minor_version)
    parts: list[Bytes | Spooled] = [head, *(payload for section in sections for payload in section), packed_labels]
    # Never write what the reader would refuse.
    unpack_manifest(packed, sum(map(len, parts)), manifest.minor_version)
    if labels is not None:
        unpack_labels(packed_labels)
    with replacing(file) if isinstance(file, str | os.PathLike) else nullcontext(file) as stream:
        for part in parts:
            for block in blocks_of(part):
                stream.write(block)


def _as_dense(name: str, tensor: Array | Dense) -> Dense:
    if not isinstance(tensor, Dense):
        try:
            tensor = Dense(tensor, dtype_name(tensor))
        except ValueError as error:
            raise FormatError(f"tensor {name!r}: {error}") from None
    if tensor.dtype not in DTYPES or DTYPES[tensor.dtype] != tensor.array.dtype.newbyteorder("<"):
        raise FormatError(f"tensor {name!r}: numpy type {tensor.array.dtype} is not {tensor.dtype}")
    return tensor


def _entries(encoded: Mapping[str, Encoded]) -> tuple[TensorEntry, ...]:
    return tuple(TensorEntry(name, t.shape, t.encoding, t.dtype) for name, t in encoded.items())


def _renew(encoded: dict[str, Encoded], at_any_gain: bool) -> None:
    """Encode small tensors anew, where they together gain `LEAST_GAIN` or older readers cannot read the file anyway.

    What a large one could gain by it is less than `LEAST_GAIN`.
    """
    old = {n: t for n, t in encoded.items() if not t.encoding.minor_version and len(t.payload) < SMALL_BYTES}
    old = {name: tensor for name, tensor in old.items() if set(tensor.among) - {tensor.encoding}}
    new = {name: tensor.renewed() for name, tensor in old.items()}
    gain = sum(len(old[name].payload) - len(new[name].payload) for name in old)
    if at_any_gain or gain >= LEAST_GAIN:
        encoded |= new


def _fill_up(encoded: dict[str, Encoded]) -> None:
    """Store tensors plainly, the emptiest first, while there are more weights than so few bytes may stand for.

    A reader has to be able to bound what it may be asked for, and millions of zeros would fit a dozen bytes.
    """
    missing = sum(tensor.size for tensor in encoded.values()) - FREE_ELEMENTS
    missing -= MAX_EXPANSION * sum(len(tensor.payload) for tensor in encoded.values())
    for name in sorted(encoded, key=lambda name: len(encoded[name].payload) / max(1, encoded[name].size)):
        if missing <= 0:
            return
        packed = len(encoded[name].payload)
        encoded[name] = encoded[name].plain()
        missing -= MAX_EXPANSION * (len(encoded[name].payload) - packed)


def _gather(payloads: Sequence[Bytes | Spooled], section_bytes: int) -> Iterator[list[Bytes | Spooled]]:
    """Payloads in sections of at least `section_bytes` each, but for the last."""
    held: list[Bytes | Spooled] = []
    nbytes = 0
    for payload in payloads:
        held.append(payload)
        nbytes += len(payload)
        if nbytes >= section_bytes:
            yield held
            held, nbytes = [], 0
    if held:
        yield held


def _section(payloads: Sequence[Bytes | Spooled]) -> Section:
    blocks = (block for payload in payloads for block in blocks_of(payload))
    return Section(sum(map(len, payloads)), crc32_of(blocks), len(payloads))
