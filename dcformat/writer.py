"""Write a container: encode each tensor, gather sections, and put the file in its place once it is whole."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import IO

from ..core.errors import FormatError
from ..core.output import replacing
from .constants import FREE_ELEMENTS, MAX_EXPANSION
from .encoder import Encoding, encode_raw, encode_tensor
from .graph import Graph
from .layout import pack_header
from .manifest import Manifest, Section, TensorEntry, pack_labels, pack_manifest, unpack_labels, unpack_manifest
from .ops import infer_shapes
from .preprocess import Preprocess
from .tensors import DTYPES, Array, Dense, dtype_name

SECTION_BYTES = 4096
"""A section is closed once it holds this much: a checksum costs little, and a damaged byte is traced to few tensors."""


def write(
    file: str | os.PathLike[str] | IO[bytes],
    graph: Graph | None,
    tensors: Mapping[str, Array | Dense],
    *,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
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
    tensors : mapping of str to ndarray or Dense
        By name, in the order in which they are stored. Those that the graph does not use are stored too.
    preprocess : Preprocess, optional
    labels : sequence of str, optional
        Names of the output's classes.
    metadata : mapping of str to str, optional

    Raises
    ------
    FormatError
        A tensor that the format cannot hold, or a graph that does not fit the tensors.
    OSError
        The file cannot be written.
    """
    dense = {name: _as_dense(name, tensor) for name, tensor in tensors.items()}
    if graph is not None:
        infer_shapes(graph, {name: tensor.shape for name, tensor in dense.items()})
    encoded = {name: encode_tensor(tensor) for name, tensor in dense.items()}
    _fill_up(dense, encoded)
    sections = list(_gather([payload for _, payload in encoded.values()]))
    packed_labels = pack_labels(labels) if labels is not None else b""
    manifest = Manifest(
        graph=graph,
        tensors=tuple(TensorEntry(name, t.shape, encoded[name][0], t.dtype) for name, t in dense.items()),
        sections=tuple(Section(len(data), zlib.crc32(data), count) for data, count in sections),
        preprocess=preprocess,
        labels=Section(len(packed_labels), zlib.crc32(packed_labels), 0) if labels is not None else None,
        metadata=metadata or {},
    )
    packed = pack_manifest(manifest)
    parts = [pack_header(packed), *(data for data, _ in sections), packed_labels]
    # Never write what the reader would refuse.
    unpack_manifest(packed, sum(map(len, parts)))
    if labels is not None:
        unpack_labels(packed_labels)
    with replacing(file) if isinstance(file, str | os.PathLike) else nullcontext(file) as stream:
        for part in parts:
            stream.write(part)


def _as_dense(name: str, tensor: Array | Dense) -> Dense:
    if not isinstance(tensor, Dense):
        try:
            tensor = Dense(tensor, dtype_name(tensor))
        except ValueError as error:
            raise FormatError(f"tensor {name!r}: {error}") from None
    if tensor.dtype not in DTYPES or DTYPES[tensor.dtype] != tensor.array.dtype.newbyteorder("<"):
        raise FormatError(f"tensor {name!r}: numpy type {tensor.array.dtype} is not {tensor.dtype}")
    return tensor


def _fill_up(dense: Mapping[str, Dense], encoded: dict[str, tuple[Encoding, bytes]]) -> None:
    """Store tensors plainly, the emptiest first, while there are more weights than so few bytes may stand for.

    A reader has to be able to bound what it may be asked for, and millions of zeros would fit a dozen bytes.
    """
    missing = sum(tensor.size for tensor in dense.values()) - FREE_ELEMENTS
    missing -= MAX_EXPANSION * sum(len(payload) for _, payload in encoded.values())
    for name in sorted(dense, key=lambda name: len(encoded[name][1]) / max(1, dense[name].size)):
        if missing <= 0:
            return
        packed = len(encoded[name][1])
        encoded[name] = encode_raw(dense[name])
        missing -= MAX_EXPANSION * (len(encoded[name][1]) - packed)


def _gather(payloads: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """Payloads in sections: (bytes, number of tensors)."""
    held: list[bytes] = []
    nbytes = 0
    for payload in payloads:
        held.append(payload)
        nbytes += len(payload)
        if nbytes >= SECTION_BYTES:
            yield b"".join(held), len(held)
            held, nbytes = [], 0
    if held:
        yield b"".join(held), len(held)
