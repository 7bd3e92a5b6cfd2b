"""The manifest: what a container says of itself, between dataclasses and compressed JSON.

The JSON is slim (lists in a fixed order, defaults left out), since in a small network it is a good part of the file.
"""

from __future__ import annotations

import json
import reprlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, prod
from typing import Any, NoReturn

from ...core.errors import FormatError, UnsupportedVersionError
from ..coding.bits import Bytes
from ..constants import (
    FREE_ELEMENTS,
    MAX_ELEMENTS,
    MAX_EXPANSION,
    MAX_LABELS_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_RANK,
    MAX_TENSORS,
)
from ..encoding.table import Encoding
from ..graph.graph import Graph, Shape
from ..graph.legal import infer_shapes
from ..preprocess import Preprocess
from ..tensors import DTYPES
from .graph_json import graph_from_json, graph_minor_version, graph_to_json
from .json_fields import integers, list_of, object_of
from .names import expand, shorten
from .quantization_json import quantization_from_json, quantization_to_json

_ENCODINGS = {encoding.value: encoding for encoding in Encoding}
DICTIONARY = (
    b'"metadata":{"preprocess":{"resize":[32,32],"crop":[224,224],"mode":"L","scale":1.0,"mean":[0.485,0.456,0.406],'
    b'"std":[0.229,0.224,0.225]}"labels":["0","1","2","3","4","5","6","7","8","9"],"batch_norm","relu6","adaptive_avg_pool2d",'
    b'[{"output":[7,7]}],"avg_pool2d","softmax","concat",{"axis":0},"slice","pad","add","max_pool2d",[],{"ceil_mode":true,'
    b'"kernel":[3,3],"stride":[2,2]}],["relu"],["flatten"],["linear",[2,3]],["conv2d",[0,1],{"padding":[1,1]}],'
    b'.num_batches_tracked",[],"raw","I64"],["layer1.0.bn1.running_mean",[64]],["features.0.running_var",[64]],'
    b'["classifier.6.weight",[10,512],"shared"],["fc1.bias",[10]],["conv1.weight",[64,64,3,3],"sparse_raw"],'
    b'.weight",[64,64,1,1],"sparse_shared"],{"graph":{"input":[3,32,32],"nodes":[["conv2d",'
    b'"sections":[[],"tensors":[["conv1.weight",[64,3,3,3],"sparse_shared"],["conv1.bias",[16]],'
)
"""Preset dictionary of the manifest's DEFLATE stream: common fragments, the most common last. Part of format 1."""


@dataclass(frozen=True)
class TensorEntry:
    """What the manifest says of a tensor.

    Attributes
    ----------
    name : str
    shape : tuple of int
    encoding : Encoding
    dtype : str
        A key of `dcz.dcformat.tensors.DTYPES`.
    """

    name: str
    shape: Shape
    encoding: Encoding = Encoding.RAW
    dtype: str = "F32"


@dataclass(frozen=True)
class Section:
    """A run of bytes with a checksum.

    Attributes
    ----------
    nbytes : int
    crc32 : int
    tensors : int
        How many tensors it holds: the next ones in order.
    """

    nbytes: int
    crc32: int
    tensors: int


@dataclass(frozen=True)
class Manifest:
    """All of a container but the tensors' bytes.

    Attributes
    ----------
    graph : Graph or None
        None in a weights-only container.
    tensors : tuple of TensorEntry
        In stored order.
    sections : tuple of Section
        In file order; their tensors add up to `tensors`.
    preprocess : Preprocess or None
    labels : Section or None
        Where the compressed label list is: behind the last section.
    metadata : mapping of str to str
        Free text: where the network comes from and the like.
    tied : mapping of str to str
        Further names of stored tensors: the name under which each is stored.
    """

    graph: Graph | None
    tensors: tuple[TensorEntry, ...]
    sections: tuple[Section, ...]
    preprocess: Preprocess | None = None
    labels: Section | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)

    @property
    def encodings_minor_version(self) -> int:
        """The least minor version that has the encodings: a reader without them refuses the file by their names."""
        return max((entry.encoding.minor_version for entry in self.tensors), default=0)

    @property
    def minor_version(self) -> int:
        """The least minor version of the format that has all that the container uses."""
        if self.graph is None:
            return self.encodings_minor_version
        shapes = {entry.name: entry.shape for entry in self.tensors}
        return max(self.encodings_minor_version, graph_minor_version(self.graph, shapes))


def pack_json(value: Any, dictionary: bytes = b"") -> bytes:
    """Canonical JSON (no spaces, UTF-8), deflated without wrapper."""
    text = _canonical(value)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflate.compress(text) + deflate.flush()


def _canonical(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"a name or label is not valid Unicode: {error}") from None


def unpack_json(data: Bytes, limit: int, what: str, dictionary: bytes = b"") -> Any:
    """Inverse of `pack_json`, for bytes that nobody vouches for.

    Raises
    ------
    FormatError
        Not a whole DEFLATE stream, over `limit` bytes, not JSON, a key twice, a number that is not finite, or a lone
        surrogate, which could be read but never printed.
    """
    inflate = zlib.decompressobj(-15, dictionary)
    try:
        text = inflate.decompress(data, limit)
    except zlib.error as error:
        raise FormatError(f"{what} cannot be decompressed: {error}") from None
    if not inflate.eof or inflate.unused_data:
        raise FormatError(f"{what} is cut short, too long or has bytes behind it", expected=f"at most {limit} bytes")
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_unique_keys, parse_float=_finite, parse_constant=_not_finite
        )
        _canonical(value)
        return value
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} is not JSON: {error}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise FormatError("manifest: a key stands twice", found=reprlib.repr(sorted(key for key, _ in pairs)))
    return dict(pairs)


def _finite(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        _not_finite(number)
    return value


def _not_finite(number: str) -> NoReturn:
    raise FormatError("manifest: number is not finite", found=reprlib.repr(number))


def pack_manifest(manifest: Manifest) -> bytes:
    """Manifest to bytes."""
    index = {entry.name: i for i, entry in enumerate(manifest.tensors)}
    data: dict[str, Any] = {}
    if manifest.graph is not None:
        data["graph"] = graph_to_json(manifest.graph, index)
    names = [entry.name for entry in manifest.tensors]
    if manifest.minor_version:
        names = shorten(names, continue_=manifest.encodings_minor_version > 0)
    data["tensors"] = [_entry_to_json(entry, name) for entry, name in zip(manifest.tensors, names, strict=True)]
    data["sections"] = [[s.nbytes, s.crc32, s.tensors] for s in manifest.sections]
    if manifest.preprocess is not None:
        data["preprocess"] = manifest.preprocess.to_json()
    if manifest.labels is not None:
        data["labels"] = [manifest.labels.nbytes, manifest.labels.crc32]
    if manifest.metadata:
        data["metadata"] = dict(sorted(manifest.metadata.items()))
    if manifest.tied:
        data["tied"] = {name: index.get(stored) for name, stored in manifest.tied.items()}
    if manifest.graph is not None and manifest.graph.quantization is not None:
        data["quantization"] = quantization_to_json(manifest.graph.quantization, index)
    return pack_json(data, DICTIONARY)


def _entry_to_json(entry: TensorEntry, name: str) -> list[Any]:
    row: list[Any] = [name, list(entry.shape), entry.encoding.value, entry.dtype]
    if entry.dtype == "F32":
        row.pop()
        if entry.encoding == Encoding.RAW:
            row.pop()
    return row


def unpack_manifest(data: Bytes, file_bytes: int, minor: int = 0) -> Manifest:
    """Bytes to manifest, with everything checked that can be checked without the sections.

    Parameters
    ----------
    data : bytes
        The compressed manifest.
    file_bytes : int
        Size of the container; bounds what its tensors may ask for.
    minor : int
        Its minor version: from 1 on, names go on from one another.

    Raises
    ------
    FormatError
    """
    # Unknown keys are passed over: a newer minor version may add some that a reader can do without.
    fields = object_of(unpack_json(data, MAX_MANIFEST_BYTES, "manifest", DICTIONARY), "manifest")
    tensors = tuple(_entry_from_json(row) for row in list_of(fields, "tensors", MAX_TENSORS))
    if minor:
        tensors = tuple(_with_whole_names(tensors))
    _check_entries(tensors, file_bytes)
    sections = tuple(_section_from_json(row) for row in list_of(fields, "sections", MAX_TENSORS))
    if sum(section.tensors for section in sections) != len(tensors):
        raise FormatError("manifest: sections and tensors do not agree", expected=f"{len(tensors)} tensors")
    labels = None
    if "labels" in fields:
        nbytes, crc32 = integers(fields["labels"], 2, "labels", limit=1 << 40)
        labels = Section(nbytes, crc32, 0)
    preprocess = Preprocess.from_json(object_of(fields["preprocess"], "preprocess")) if "preprocess" in fields else None
    metadata = object_of(fields.get("metadata", {}), "metadata")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise FormatError("manifest: metadata must be text")
    graph = _graph_from_json(fields, tensors) if "graph" in fields else None
    if graph is None and "quantization" in fields:
        raise FormatError("manifest: quantization without a graph")
    return Manifest(graph, tensors, sections, preprocess, labels, metadata, _tied_from_json(fields, tensors))


def _graph_from_json(fields: Mapping[str, Any], tensors: Sequence[TensorEntry]) -> Graph:
    names = [entry.name for entry in tensors]
    graph = graph_from_json(object_of(fields["graph"], "graph"), names)
    if "quantization" in fields:
        graph = replace(graph, quantization=quantization_from_json(fields["quantization"], names))
    infer_shapes(graph, {entry.name: entry.shape for entry in tensors})
    return graph


def pack_labels(labels: Sequence[str]) -> bytes:
    """Label list to bytes."""
    return pack_json(list(labels))


def unpack_labels(data: Bytes) -> list[str]:
    """Bytes to label list.

    Raises
    ------
    FormatError
    """
    labels = unpack_json(data, MAX_LABELS_BYTES, "labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise FormatError("labels must be a list of texts")
    return labels


def _entry_from_json(row: Any) -> TensorEntry:
    if not isinstance(row, list) or not 2 <= len(row) <= 4 or not all(isinstance(v, str) for v in (row[0], *row[2:])):
        raise FormatError("manifest: bad tensor", expected="[name, shape, encoding, dtype]", found=reprlib.repr(row))
    name, encoding, dtype = row[0], row[2] if len(row) > 2 else "raw", row[3] if len(row) > 3 else "F32"
    shape = integers(row[1], None, f"shape of {name!r}", limit=MAX_ELEMENTS)
    if len(shape) > MAX_RANK:
        raise FormatError(f"tensor {name!r} has too many axes", expected=f"at most {MAX_RANK}", found=len(shape))
    if encoding not in _ENCODINGS:
        raise UnsupportedVersionError(
            f"tensor {name!r} has the unknown encoding {encoding!r}", hint="a newer dcz may know it"
        )
    if dtype not in DTYPES:
        raise UnsupportedVersionError(
            f"tensor {name!r} has the unknown dtype {dtype!r}", hint="a newer dcz may know it"
        )
    return TensorEntry(name, shape, _ENCODINGS[encoding], dtype)


def _with_whole_names(tensors: Iterable[TensorEntry]) -> Iterator[TensorEntry]:
    before = ""
    for entry in tensors:
        before = expand(entry.name, before)
        yield replace(entry, name=before)


def _check_entries(tensors: tuple[TensorEntry, ...], file_bytes: int) -> None:
    if len({entry.name for entry in tensors}) != len(tensors):
        raise FormatError("manifest: two tensors have the same name")
    # An empty axis counts as one: the others must not be free for it (rows of a CSR form take memory without weights).
    elements = sum(prod(max(n, 1) for n in entry.shape) for entry in tensors)
    limit = min(MAX_ELEMENTS, FREE_ELEMENTS + MAX_EXPANSION * file_bytes)
    if elements > limit:
        raise FormatError(
            "tensors are larger than a file of this size may make them", expected=f"{limit} weights", found=elements
        )


def _tied_from_json(fields: Mapping[str, Any], tensors: tuple[TensorEntry, ...]) -> dict[str, str]:
    rows = object_of(fields.get("tied", {}), "tied")
    known = {entry.name for entry in tensors}
    for name, i in rows.items():
        if name in known:
            raise FormatError("manifest: two tensors have the same name", found=reprlib.repr(name))
        if type(i) is not int or not 0 <= i < len(tensors):
            raise FormatError(f"manifest: {name!r} is tied to no tensor", found=reprlib.repr(i))
    return {name: tensors[i].name for name, i in rows.items()}


def _section_from_json(row: Any) -> Section:
    nbytes, crc32, tensors = integers(row, 3, "section", limit=1 << 40)
    return Section(nbytes, crc32, tensors)
