"""Files that lie: whatever the bytes, a reader answers with FormatError, soon and without much memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bitarray import bitarray
from codec_cases import sparse_array
from containers import build, deflate, holding, with_graph, write_full
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import ChecksumError, Dense, FormatError, TruncatedError, UnsupportedVersionError
from dcz.dcformat import open as open_container
from dcz.dcformat.bits import write_numbers, write_varint, zigzag
from dcz.dcformat.constants import CHUNK_ENTRIES, FREE_ELEMENTS, MAGIC, MAX_EXPANSION
from dcz.dcformat.encoder import encode_tensor
from dcz.dcformat.layout import pack_header
from dcz.dcformat.manifest import DICTIONARY


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


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_full(tmp_path_factory.mktemp("full") / "full.dcz").read_bytes()


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


# Manifests with a right checksum.

EMPTY = {"tensors": [], "sections": []}
SOUND = [["t", [2, 3]]]


def named(**changes: Any) -> bytes:
    return build({**EMPTY, **changes})


MANIFESTS: dict[str, bytes] = {
    "not deflate": pack_header(b"\xff\xff\xff\xff"),
    "no manifest": pack_header(b""),
    "cut deflate": pack_header(deflate(b'{"tensors":[],"sections":[]}')[:-3]),
    "behind deflate": pack_header(deflate(json.dumps(EMPTY).encode(), DICTIONARY) + b"x"),
    "not UTF-8": build(b'{"tensors":[],"sections":[],"metadata":{"a":"\xff"}}'),
    "not JSON": build(b"{"),
    "no text": build(b""),
    "two values": build(b"{} {}"),
    "a list": build([]),
    "null": build(b"null"),
    "nothing in it": build({}),
    "key twice": build(b'{"tensors":[],"tensors":[],"sections":[]}'),
    "inner key twice": build(b'{"tensors":[],"sections":[],"metadata":{"a":"b","a":"c"}}'),
    "NaN": build(b'{"tensors":[],"sections":[],"later":NaN}'),
    "Infinity": build(b'{"tensors":[],"sections":[],"later":-Infinity}'),
    "a float that overflows": build(b'{"tensors":[],"sections":[],"later":1e999}'),
    "a huge integer": build(b'{"tensors":[],"sections":[],"later":' + b"9" * 5000 + b"}"),
    "lone surrogate": build(b'{"tensors":[["\\ud800",[0]]],"sections":[[0,0,1]]}'),
    "lone surrogate in a key": build(b'{"tensors":[],"sections":[],"metadata":{"\\udfff":"x"}}'),
    "tensors an object": named(tensors={}),
    "sections missing": build({"tensors": []}),
    "sections null": named(sections=None),
    "too many tensors": named(tensors=[[str(i), [0]] for i in range(65537)], sections=[[0, 0, 65537]]),
    "metadata a list": named(metadata=[]),
    "metadata of numbers": named(metadata={"a": 1}),
    "metadata nested": named(metadata={"a": {"b": "c"}}),
    "labels a number": named(labels=3),
    "labels short": named(labels=[1]),
    "labels negative": named(labels=[-1, 0]),
    "labels boolean": named(labels=[True, 0]),
    "labels beyond the end": named(labels=[1 << 39, 0]),
    "labels null": named(labels=None),
    "preprocess null": named(preprocess=None),
    "graph null": named(graph=None),
    "graph empty": named(graph={}),
}

for label, row in {
    "text": "t",
    "empty": [],
    "name only": ["t"],
    "five items": ["t", [2], "raw", "F32", 1],
    "name a number": [1, [2]],
    "shape a number": ["t", 2],
    "shape an object": ["t", {}],
    "extent negative": ["t", [-1]],
    "extent boolean": ["t", [True]],
    "extent a float": ["t", [2.0]],
    "extent a text": ["t", ["2"]],
    "extent null": ["t", [None]],
    "extent huge": ["t", [10**30]],
    "product huge": ["t", [1 << 30] * 8],
    "product wraps 64 bits to zero": ["t", [1 << 16] * 8],
    "product wraps with an empty axis": ["t", [1 << 30, 0]],
    "over what the file may ask for": ["t", [1 << 21]],
    "nine axes": ["t", [1] * 9],
    "unknown encoding": ["t", [2], "zip"],
    "encoding a number": ["t", [2], 0],
    "unknown dtype": ["t", [2], "raw", "F8"],
    "dtype null": ["t", [2], "raw", None],
}.items():
    MANIFESTS[f"tensor: {label}"] = build({"tensors": [row], "sections": [[8, zlib.crc32(bytes(8)), 1]]}, [bytes(8)])

for label, sections in {
    "text": ["s"],
    "short": [[24, 0]],
    "negative": [[-24, 0, 1]],
    "boolean": [[24, 0, True]],
    "float": [[24.0, 0, 1]],
    "beyond the end": [[25, zlib.crc32(bytes(24)), 1]],
    "far beyond the end": [[1 << 39, 0, 1]],
    "over the limit": [[1 << 60, 0, 1]],
    "short of the end": [[23, zlib.crc32(bytes(23)), 1]],
    "wrong checksum": [[24, 0, 1]],
    "checksum too large": [[24, 1 << 33, 1]],
    "no tensors": [[24, zlib.crc32(bytes(24)), 0]],
    "too many tensors": [[24, zlib.crc32(bytes(24)), 2]],
    "two for one tensor": [[24, zlib.crc32(bytes(24)), 1], [0, 0, 1]],
    "tensor in the wrong one": [[24, zlib.crc32(bytes(24)), 0], [0, 0, 1]],
    "none": [],
}.items():
    MANIFESTS[f"section: {label}"] = build({"tensors": SOUND, "sections": sections}, [bytes(24)])

MANIFESTS["names twice"] = build({"tensors": SOUND * 2, "sections": [[48, zlib.crc32(bytes(48)), 2]]}, [bytes(48)])

for label, preprocess in {
    "a list": [],
    "unknown key": {"colour": 1},
    "mode a number": {"mode": 3},
    "mode a list": {"mode": ["RGB"]},
    "mode an object": {"mode": {}},
    "unknown mode": {"mode": "CMYK"},
    "unknown interpolation": {"interpolation": "magic"},
    "interpolation a list": {"interpolation": [["box"]]},
    "resize zero": {"resize": 0},
    "resize huge": {"resize": 1 << 20},
    "resize boolean": {"resize": True},
    "resize a float": {"resize": 2.5},
    "resize a text": {"resize": "ab"},
    "resize three": {"resize": [1, 2, 3]},
    "resize an object": {"resize": {"1": 2, "3": 4}},
    "crop a number": {"crop": 5},
    "crop negative": {"crop": [5, -5]},
    "mean a text": {"mean": "abc"},
    "mean of texts": {"mean": ["1", "2", "3"]},
    "mean digits": {"mean": "123"},
    "mean a number": {"mean": 1.0},
    "mean boolean": {"mean": [True, True, True]},
    "mean short": {"mean": [1.0]},
    "mean for RGB of grey": {"mode": "L", "mean": [1.0, 1.0, 1.0]},
    "mean huge integer": {"mean": [10**400, 0, 0]},
    "mean null": {"mean": None},
    "mean nested": {"mean": [[1], [1], [1]]},
    "std zero": {"std": [0, 1, 1]},
    "scale a text": {"scale": "x"},
    "scale huge integer": {"scale": 10**400},
    "scale boolean": {"scale": True},
    "scale null": {"scale": None},
}.items():
    MANIFESTS[f"preprocess: {label}"] = named(preprocess=preprocess)

WEIGHT = ("w", [4, 2, 3, 3])
for label, data in {
    "input a number": with_graph([], 5),
    "input missing": with_graph([], None),
    "input empty": with_graph([], []),
    "input zero": with_graph([], [0]),
    "input huge": with_graph([], [1 << 20] * 4),
    "input nine axes": with_graph([], [1] * 9),
    "output outside": with_graph([], output=1),
    "output negative": with_graph([], output=-1),
    "output boolean": with_graph([["relu"]], output=True),
    "output a float": with_graph([], output=0.0),
    "nodes an object": with_graph({}),
    "node a text": with_graph(["relu"]),
    "node empty": with_graph([[]]),
    "node of five": with_graph([["relu", [], {}, [], []]]),
    "op a number": with_graph([[1]]),
    "unknown op": with_graph([["conv3d"]]),
    "unknown op with tensors": with_graph([["conv3d", [0]]], tensors=[WEIGHT]),
    "tensors an object": with_graph([["relu", {}]]),
    "attributes a list": with_graph([["relu", [], []]]),
    "inputs a number": with_graph([["relu", [], {}, 0]]),
    "reads its own value": with_graph([["relu", [], {}, [1]]]),
    "reads a later value": with_graph([["relu", [], {}, [2]], ["relu", [], {}, [1]]]),
    "reads a negative value": with_graph([["relu", [], {}, [-1]]]),
    "reads a boolean": with_graph([["relu", [], {}, [False]]]),
    "too many inputs": with_graph([["relu", [], {}, [0, 0]]]),
    "too few inputs": with_graph([["add", [], {}, [0]]]),
    "concat of none": with_graph([["concat", [], {}, []], ["concat", [], {}, [0] * 1025]]),
    "tensor outside": with_graph([["conv2d", [1]]], tensors=[WEIGHT]),
    "tensor negative": with_graph([["conv2d", [-1]]], tensors=[WEIGHT]),
    "tensor boolean": with_graph([["conv2d", [False]]], tensors=[WEIGHT]),
    "tensor missing": with_graph([["conv2d", [None]]], tensors=[WEIGHT]),
    "too many tensors": with_graph([["conv2d", [0, None, 0]]], tensors=[WEIGHT]),
    "tensor of an op without": with_graph([["relu", [0]]], tensors=[WEIGHT]),
    "unknown attribute": with_graph([["conv2d", [0], {"mode": 1}]], tensors=[WEIGHT]),
    "stride a number": with_graph([["conv2d", [0], {"stride": 2}]], tensors=[WEIGHT]),
    "stride zero": with_graph([["conv2d", [0], {"stride": [0, 1]}]], tensors=[WEIGHT]),
    "stride of three": with_graph([["conv2d", [0], {"stride": [1, 1, 1]}]], tensors=[WEIGHT]),
    "stride of texts": with_graph([["conv2d", [0], {"stride": ["1", "1"]}]], tensors=[WEIGHT]),
    "stride null": with_graph([["conv2d", [0], {"stride": None}]], tensors=[WEIGHT]),
    "padding negative": with_graph([["conv2d", [0], {"padding": [-1, 0]}]], tensors=[WEIGHT]),
    "padding overflows": with_graph([["conv2d", [0], {"padding": [1 << 30, 1 << 30]}]], tensors=[WEIGHT]),
    "dilation huge": with_graph([["conv2d", [0], {"dilation": [1 << 30, 1]}]], tensors=[WEIGHT]),
    "groups zero": with_graph([["conv2d", [0], {"groups": 0}]], tensors=[WEIGHT]),
    "groups a float": with_graph([["conv2d", [0], {"groups": 1.0}]], tensors=[WEIGHT]),
    "groups a boolean": with_graph([["conv2d", [0], {"groups": True}]], tensors=[WEIGHT]),
    "groups misfit": with_graph([["conv2d", [0], {"groups": 3}]], tensors=[WEIGHT]),
    "kernel larger than the input": with_graph([["conv2d", [0]]], [2, 2, 2], tensors=[WEIGHT]),
    "weight of rank 3": with_graph([["conv2d", [0]]], tensors=[("w", [4, 2, 3])]),
    "bias misfit": with_graph([["conv2d", [0, 1]]], tensors=[WEIGHT, ("b", [5])]),
    "linear on an image": with_graph([["linear", [0]]], tensors=[("w", [3, 128])]),
    "linear misfit": with_graph([["linear", [0]]], [127], tensors=[("w", [3, 128])]),
    "norm misfit": with_graph([["batch_norm", [0, 0]]], tensors=[("m", [3])]),
    "eps one": with_graph([["batch_norm", [0, 0], {"eps": 1.0}]], tensors=[("m", [2])]),
    "eps an integer": with_graph([["batch_norm", [0, 0], {"eps": 0}]], tensors=[("m", [2])]),
    "pool without a kernel": with_graph([["max_pool2d"]]),
    "pool without a stride": with_graph([["max_pool2d", [], {"kernel": [2, 2]}]]),
    "pool larger than the input": with_graph([["max_pool2d", [], {"kernel": [9, 9], "stride": [1, 1]}]]),
    "pool all padding": with_graph([["max_pool2d", [], {"kernel": [2, 2], "stride": [1, 1], "padding": [2, 2]}]]),
    "ceil_mode a number": with_graph([["max_pool2d", [], {"kernel": [2, 2], "stride": [1, 1], "ceil_mode": 1}]]),
    "adaptive zero": with_graph([["adaptive_avg_pool2d", [], {"output": [0, 1]}]]),
    "adaptive huge": with_graph([["adaptive_avg_pool2d", [], {"output": [1 << 20, 1 << 20]}]]),
    "axis outside": with_graph([["softmax", [], {"axis": 3}]]),
    "axis negative": with_graph([["softmax", [], {"axis": -1}]]),
    "add of two shapes": with_graph([["flatten"], ["add", [], {}, [0, 1]]]),
    "concat of two ranks": with_graph([["flatten"], ["concat", [], {}, [0, 1]]]),
    "slice beyond": with_graph([["slice", [], {"axis": 0, "stop": 3}]]),
    "slice empty": with_graph([["slice", [], {"axis": 0, "start": 1, "stop": 1}]]),
    "slice step zero": with_graph([["slice", [], {"axis": 0, "stop": 2, "step": 0}]]),
    "slice without stop": with_graph([["slice", [], {"axis": 0}]]),
    "slice backwards": with_graph([["slice", [], {"axis": 0, "start": 2, "stop": 1}]]),
    "pad overflows": with_graph([["pad", [], {"before": [1 << 30] * 3, "after": [1 << 30] * 3}]]),
    "pad of two axes": with_graph([["pad", [], {"before": [1, 1], "after": [1, 1]}]]),
    "pad of texts": with_graph([["pad", [], {"before": "abc", "after": "abc"}]]),
    "doubles 40 times": with_graph([["concat", [], {}, [i, i]] for i in range(40)]),
}.items():
    MANIFESTS[f"graph: {label}"] = data


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(name: str) -> None:
    refused(MANIFESTS[name])


def test_what_is_unknown_is_refused_by_name() -> None:
    for name, word in (
        ("tensor: unknown encoding", "'zip'"),
        ("tensor: unknown dtype", "'F8'"),
        ("graph: unknown op", "'conv3d'"),
        ("graph: unknown op with tensors", "'conv3d'"),
    ):
        error = refused(MANIFESTS[name])
        assert isinstance(error, UnsupportedVersionError)
        assert word in str(error)
        assert "newer" in str(error)


def test_a_graph_that_all_those_differ_from_is_read() -> None:
    read_all(with_graph([["conv2d", [0]], ["relu"]], tensors=[WEIGHT]))
    read_all(with_graph([["max_pool2d", [], {"kernel": [2, 2], "stride": [1, 1]}], ["softmax"]]))
    read_all(build({"tensors": SOUND, "sections": [[24, zlib.crc32(bytes(24)), 1]]}, [bytes(24)]))
    read_all(named(preprocess={"mean": [0, 1, 2.5], "resize": [3, 4]}, metadata={"a": "b"}))


@pytest.mark.parametrize("depth", [50, 500, 900, 940, 960, 970, 980, 985, 990, 995, 1000, 5000, 100_000])
def test_deep_nesting(depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    refused(build(b'{"tensors":[' + nest + b'],"sections":[]}'))
    refused(build(b'{"tensors":[["t",' + nest + b']],"sections":[]}'))
    refused(build(b'{"tensors":[],"sections":[],"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"))
    refused(build(b'{"tensors":[],"sections":[],"preprocess":{"mean":' + nest + b"}}"))


LABELS: dict[str, bytes] = {
    "not deflate": b"\xff\xff",
    "empty": b"",
    "an object": deflate(b"{}"),
    "numbers": deflate(b"[1]"),
    "cut": deflate(b'["a"]')[:-1],
    "behind": deflate(b'["a"]') + b"x",
    "nested": deflate(b"[" * 100_000),
    "bomb": deflate(b'["' + b"a" * (1 << 25) + b'"]'),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels(name: str) -> None:
    packed = LABELS[name]
    refused(build({**EMPTY, "labels": [len(packed), zlib.crc32(packed)]}, labels=packed))


# Payloads with right checksums.


def lengths_bits(*tables: list[int]) -> bytes:
    out = bitarray()
    for table in tables:
        write_numbers(out, zigzag(np.diff(table, prepend=0).tolist()))
    return out.tobytes()


def varints(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        write_varint(out, value)
    return bytes(out)


BOOK = bytes.fromhex("3800 5eff8fbfe0")  # 0.5, 1.5, -0.25 as half floats
GAPS = [2, 2, 0, 1]  # escape 3 as 0, 0 as 10, 1 as 11
SYMBOLS = [1, 2, 2]


def sparse_payload(
    layout: int = 0x22,
    nnz: bytes = varints(3),
    count: bytes = varints(3),
    book: bytes = BOOK,
    tables: bytes | None = None,
    chunks: bytes = varints(1, 1, 1, 1),
    gaps: bytes = bytes([0b10110100]),  # 0 1 escape 0
    symbols: bytes = bytes([0b01011000]),
) -> bytes:
    tables = lengths_bits(GAPS, SYMBOLS) if tables is None else tables
    return layout.to_bytes() + nnz + count + book + tables + chunks + gaps + symbols


def test_the_payload_that_the_others_differ_from_is_read() -> None:
    with open_container(io.BytesIO(holding(sparse_payload(), (2, 6), "sparse_shared"))) as container:
        assert container.tensor("t").reshape(-1).tolist() == [0, 0.5, 0, 1.5, 0, 0, 0, -0.25, 0, 0, 0, 0]


SPARSE: dict[str, bytes] = {
    "empty": b"",
    "gap width 0": sparse_payload(layout=0x20),
    "gap width 9": sparse_payload(layout=0x29),
    "gap width 15": sparse_payload(layout=0x2F),
    "unknown form 3": sparse_payload(layout=0x62),
    "unknown form 7": sparse_payload(layout=0xE2),
    "more stored than there are": sparse_payload(nnz=varints(13)),
    "nnz 2**62": sparse_payload(nnz=varints(1 << 62)),
    "nnz not shortest": sparse_payload(nnz=b"\x83\x00"),
    "nnz too long": sparse_payload(nnz=b"\xff" * 12),
    "nnz without end": b"\x22\x80",
    "one less stored": sparse_payload(nnz=varints(2)),
    "one more stored": sparse_payload(nnz=varints(4)),
    "none stored but more there": sparse_payload(nnz=varints(0)),
    "no centroids": sparse_payload(count=varints(0)),
    "257 centroids": sparse_payload(count=varints(257)),
    "fewer centroids": sparse_payload(count=varints(2)),
    "more centroids": sparse_payload(count=varints(200)),
    "a zero centroid": sparse_payload(book=bytes.fromhex("0000 5eff8fbfe0")),
    "centroids beyond the last pattern": sparse_payload(book=bytes.fromhex("ffff 5eff8fbfe0")),
    "gap lengths incomplete": sparse_payload(tables=lengths_bits([2, 2, 0, 2], SYMBOLS)),
    "gap lengths oversubscribed": sparse_payload(tables=lengths_bits([1, 1, 0, 1], SYMBOLS)),
    "no gap lengths": sparse_payload(tables=lengths_bits([0, 0, 0, 0], SYMBOLS)),
    "gap length 13": sparse_payload(tables=lengths_bits([13, 2, 2, 1], SYMBOLS)),
    "gap length negative": sparse_payload(tables=lengths_bits([-1, 2, 2, 1], SYMBOLS)),
    "symbol lengths incomplete": sparse_payload(tables=lengths_bits(GAPS, [1, 2, 0])),
    "no symbol lengths": sparse_payload(tables=lengths_bits(GAPS, [0, 0, 0])),
    "single length 2": sparse_payload(tables=lengths_bits(GAPS, [2, 0, 0])),
    "padding of tables": sparse_payload(tables=lengths_bits(GAPS, SYMBOLS)[:-1] + b"\xff"),
    "start beyond the tensor": sparse_payload(chunks=varints(13, 1, 1, 1)),
    "start pushes the last out": sparse_payload(chunks=varints(6, 1, 1, 1)),
    "more escapes than weights": sparse_payload(chunks=varints(1, 13, 1, 1)),
    "fewer escapes": sparse_payload(chunks=varints(1, 0, 1, 1)),
    "more escapes": sparse_payload(chunks=varints(1, 4, 1, 1)),
    "gap bytes 0": sparse_payload(chunks=varints(1, 1, 0, 1)),
    "gap bytes beyond": sparse_payload(chunks=varints(1, 1, 99, 1)),
    "gap bytes 2**60": sparse_payload(chunks=varints(1, 1, 1 << 60, 1)),
    "symbol bytes 0": sparse_payload(chunks=varints(1, 1, 1, 0)),
    "symbol bytes 2": sparse_payload(chunks=varints(1, 1, 1, 2)),
    "chunk table not shortest": sparse_payload(chunks=b"\x81\x00" + varints(1, 1, 1)),
    "bytes behind": sparse_payload() + b"\0",
    "cut": sparse_payload()[:-1],
    "gaps past the end": sparse_payload(gaps=bytes([0b11111111])),
    "gaps of escapes": sparse_payload(gaps=bytes([0b00001000])),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_payloads(name: str) -> None:
    error = refused(holding(SPARSE[name], (2, 6), "sparse_shared"))
    assert "tensor 't'" in str(error) or "section 0" in str(error)


@pytest.mark.parametrize(
    ("payload", "shape", "encoding", "dtype"),
    [
        (sparse_payload(), (12,), "raw", "F32"),
        (sparse_payload(), (2, 6), "shared", "F32"),
        (sparse_payload(), (2, 6), "sparse_raw", "F32"),
        (sparse_payload(layout=0x32), (12,), "sparse_shared", "F32"),  # axes of a vector swapped
        (sparse_payload(layout=0x32), (), "sparse_shared", "F32"),
        (sparse_payload(layout=0x02), (2, 6), "sparse_shared", "F16"),  # a half tensor of fp32 centroids
        (sparse_payload(), (2, 6), "sparse_shared", "I32"),
        (sparse_payload(), (2, 6), "sparse_shared", "F64"),
        (sparse_payload(), (0, 6), "sparse_shared", "F32"),
        (b"\x02\x00", (0,), "sparse_raw", "F32"),
        (b"", (0,), "shared", "F32"),
        (bytes(23), (2, 3), "raw", "F32"),
        (bytes(25), (2, 3), "raw", "F32"),
        (b"\x01\x02", (2,), "raw", "BOOL"),
        (b"\x22" + varints(2) + lengths_bits([1, 0, 0, 0]) + varints(0, 0, 0) + bytes(8), (2,), "sparse_raw", "F32"),
        (b"\x02" + varints(2) + lengths_bits([1, 0, 0, 0]) + varints(0, 0, 0) + bytes(7), (2,), "sparse_raw", "F32"),
        (b"\x21" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(1) + b"\x58", (3,), "shared", "F32"),
        (b"\x30" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(1) + b"\x58", (3,), "shared", "F32"),
        (b"\x20" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(2) + b"\x58", (3,), "shared", "F32"),
        (b"\x20" + varints(3) + BOOK + lengths_bits(SYMBOLS) + varints(1) + b"\x58", (9,), "shared", "F32"),
    ],
)
def test_other_payloads(payload: bytes, shape: tuple[int, ...], encoding: str, dtype: str) -> None:
    refused(holding(payload, shape, encoding, dtype))


def test_a_grid_past_the_largest_float() -> None:
    book = np.float32(3e38).tobytes() + bytes.fromhex("7fff") + lengths_bits([])
    payload = sparse_payload(0x42, varints(3), varints(1), book, lengths_bits(GAPS, [1]), varints(1, 1, 1, 0))[:-1]
    assert "largest float" in str(refused(holding(payload, (2, 6), "sparse_shared")))


# Memory: a small file does not get much.

PEAK = 200 << 20


def flat_code(size: int) -> list[int]:
    return [1] + [0] * (size - 1)


def greedy_files() -> dict[str, bytes]:
    """Files of about 1 KB, each of which asks for as much as it can."""
    zeros, dense = FREE_ELEMENTS + MAX_EXPANSION * 60, FREE_ELEMENTS + MAX_EXPANSION * 150
    entries = 200 * CHUNK_ENTRIES
    one = bytes.fromhex("3800") + lengths_bits([])
    return {
        "zeros": holding(b"\x01\x00", (zeros, 1), "sparse_shared"),
        "dense": holding(b"\x20\x01" + one + lengths_bits([1]) + bytes(-(-dense // CHUNK_ENTRIES)), (dense,), "shared"),
        "sparse": holding(
            b"\x31"
            + varints(entries)
            + b"\x01"
            + one
            + lengths_bits(flat_code(2), [1])
            + (varints(0) + bytes(3))
            + (varints(CHUNK_ENTRIES) + bytes(3)) * 199,
            (entries, 1),
            "sparse_shared",
        ),
        "a bomb of a manifest": build(b'{"tensors":[' + b"[]," * 340_000 + b'[]],"sections":[]}'),
        "a bomb of spaces": build(b" " * (1 << 26)),
        "rows without columns": holding(b"", ((1 << 31) - 1, 0), "raw"),
        "long manifest": pack_header(b"")[:12] + b"\xff\xff\xff\x00" + bytes(4),
        "chunks that are not there": holding(b"\x20\x01" + one + lengths_bits([1]), (1 << 20,), "shared"),
    }


@pytest.mark.parametrize("name", greedy_files())
def test_memory(name: str) -> None:
    data = greedy_files()[name]
    assert len(data) < 70_000
    tracemalloc.start()
    try:
        assert outcome(data) == ("read" if name in ("zeros", "dense", "sparse") else "refused")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < PEAK


# Fuzz.


@given(st.binary(max_size=400))
@settings(max_examples=100)
def test_random_manifests(noise: bytes) -> None:
    refused(pack_header(noise))
    refused(build(noise))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.data())
@settings(max_examples=150)
def test_manifests_with_a_part_replaced(data: st.DataObject) -> None:
    """Any one value of a sound manifest, at any depth, replaced by any other: read, or refused."""
    payload = bytes(24) + b"\x01\x00"
    manifest: Any = {
        "graph": {
            "input": [2, 8, 8],
            "nodes": [["conv2d", [1], {"padding": [1, 1]}], ["relu"], ["add", [], {}, [1, 2]]],
        },
        "tensors": [["t", [2, 3]], ["w", [4, 2, 3, 3], "sparse_shared"]],
        "sections": [[26, zlib.crc32(payload), 2]],
        "preprocess": {"mode": "L", "mean": [0.5], "resize": 8, "scale": 1.0},
        "metadata": {"a": "b"},
    }
    read_all(build(manifest, [payload]))
    place, key = manifest, data.draw(st.sampled_from(sorted(manifest)))
    while isinstance(place[key], list | dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(json_values)
    file = build(manifest, [payload])
    with_error = None
    try:
        read_all(file)
    except FormatError as error:
        with_error = error
    if with_error is not None:
        refused(file)


def payload_cases() -> list[tuple[str, tuple[int, ...], bytes]]:
    rng = np.random.default_rng(2)
    cases = []
    for shape, density, values in (((20, 30), 0.2, 5), ((30, 2, 3), 0.9, 4), ((20, 30), 0.2, 0), ((90, 200), 0.95, 2)):
        array = sparse_array(shape, density, values, rng)
        encoding, payload = encode_tensor(Dense(array, "F32"))
        cases.append((encoding.value, shape, payload))
    return cases


PAYLOADS = payload_cases()


def outcome(data: bytes) -> str:
    """Read, or refused; the memory that a tensor of these sizes may take is all that is taken."""
    try:
        read_all(data)
    except FormatError:
        return "refused"
    return "read"


@pytest.mark.parametrize("case", range(len(PAYLOADS)))
def test_every_flipped_byte_of_a_payload_with_a_new_checksum(case: int) -> None:
    encoding, shape, payload = PAYLOADS[case]
    outcomes = []
    for at in [*range(min(len(payload), 60)), *islice(range(60, len(payload)), 0, None, 37)]:
        for mask in (0x01, 0x80, 0xFF):
            damaged = bytearray(payload)
            damaged[at] ^= mask
            outcomes.append(outcome(holding(bytes(damaged), shape, encoding)))
    assert "refused" in outcomes


@given(
    st.sampled_from(PAYLOADS), st.lists(st.tuples(st.integers(0, 80), st.binary(max_size=4)), min_size=1, max_size=4)
)
@settings(max_examples=150)
def test_payloads_with_parts_replaced(case: tuple[str, tuple[int, ...], bytes], edits: list[tuple[int, bytes]]) -> None:
    encoding, shape, payload = case
    for at, new in edits:
        payload = payload[:at] + new + payload[at + 2 :]
    outcome(holding(payload, shape, encoding))


@given(
    st.binary(max_size=60), st.sampled_from(["shared", "sparse_shared", "sparse_raw"]), st.sampled_from(["F32", "F16"])
)
@settings(max_examples=150)
def test_random_payloads(noise: bytes, encoding: str, dtype: str) -> None:
    outcome(holding(noise, (7, 30), encoding, dtype))


def test_address_space_is_enough_at_one_gigabyte(tmp_path: Path) -> None:
    """Under a hard limit of memory, a reader in a process of its own refuses, and is not killed."""
    pytest.importorskip("resource")
    for i, data in enumerate([*greedy_files().values(), MANIFESTS["tensor: product huge"]]):
        (tmp_path / f"{i}.dcz").write_bytes(data)
    script = """
import resource, sys
from pathlib import Path
import dcz.dcformat as fmt
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if Path("/proc").exists() else 0
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
for path in sorted(Path(sys.argv[1]).glob("*.dcz")):
    try:
        with fmt.open(path) as container:
            container.verify()
            for name in container.entries:
                container.tensor(name)
    except fmt.FormatError:
        pass
print("alive")
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.stdout == "alive\n", run.stderr
