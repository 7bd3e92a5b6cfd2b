"""Manifests that lie under a right checksum are refused, soon and without much memory."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from containers import build, deflate, with_graph
from hostile import read_all, refused

from dcz.dcformat import UnsupportedVersionError
from dcz.dcformat.container.layout import pack_header
from dcz.dcformat.container.manifest import DICTIONARY

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

for label, tied in {
    "a list": ["u"],
    "null": None,
    "to a name": {"u": "t"},
    "to a boolean": {"u": False},
    "to a float": {"u": 0.0},
    "to null": {"u": None},
    "to nothing": {"u": 1},
    "before the first": {"u": -1},
    "a stored name": {"t": 0},
}.items():
    section = [24, zlib.crc32(bytes(24)), 1]
    MANIFESTS[f"tied: {label}"] = build({"tensors": SOUND, "sections": [section], "tied": tied}, [bytes(24)])

QUANTIZED = {"values": [[0, 0.5, 3]], "weights": [[0, [1, 0.5, 2, 1e-9]]], "corrections": [[1, [0, 1, 2, -3]]]}
for label, changes in {
    "values missing": {"values": None},
    "values an object": {"values": {}},
    "a short range": {"values": [[0, 0.5]]},
    "a range of a text": {"values": [[0, "0.5", 3]]},
    "a range of a boolean": {"values": [[0, True, 3]]},
    "a zero point of 1.5": {"values": [[0, 0.5, 1.5]]},
    "a zero point of 256": {"values": [[0, 0.5, 256]]},
    "a negative zero point": {"values": [[0, 0.5, -1]]},
    "a scale of zero": {"values": [[0, 0, 3]]},
    "a negative scale": {"values": [[0, -0.5, 3]]},
    "a scale beyond fp32": {"values": [[0, 1e60, 3]]},
    "a huge scale": {"values": [[0, 10**400, 3]]},
    "a scale too small for fp32": {"values": [[0, 1e-60, 3]]},
    "a range twice": {"values": [[0, 0.5, 3], [0, 0.5, 3]]},
    "a range of no value": {"values": [[2, 0.5, 3]]},
    "a range before the first": {"values": [[-1, 0.5, 3]]},
    "weights missing": {"weights": None},
    "scales of no tensor": {"weights": [[1, [1, 1, 1, 1]]]},
    "scales of a text": {"weights": [[0, "1111"]]},
    "scales too few": {"weights": [[0, [1, 1, 1]]]},
    "scales of lists": {"weights": [[0, [[1], [1], [1], [1]]]]},
    "a weight's scale of zero": {"weights": [[0, [1, 1, 0, 1]]]},
    "a weight's scale of null": {"weights": [[0, [1, 1, None, 1]]]},
    "scales without a weight": {"weights": []},
    "corrections null": {"corrections": None},
    "corrections of an input": {"corrections": [[0, [0, 0, 0, 0]]]},
    "corrections too few": {"corrections": [[1, [0]]]},
    "corrections beyond fp32": {"corrections": [[1, [0, 0, 0, 1e39]]]},
    "a list": [],
    "null": None,
}.items():
    quantization = {**QUANTIZED, **changes} if isinstance(changes, dict) else changes
    MANIFESTS[f"quantization: {label}"] = with_graph(
        [["conv2d", [0]]], tensors=[("w", [4, 2, 3, 3])], top={"quantization": quantization}
    )
MANIFESTS["quantization: without a graph"] = named(quantization={"values": [], "weights": []})

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
