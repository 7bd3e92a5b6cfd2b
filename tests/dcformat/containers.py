"""Containers to test with: one that has everything, and ones with right checksums around wrong content."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from codec_cases import HUFFMAN

from dcz.dcformat import Dense, Graph, Preprocess, encode, make_node, write
from dcz.dcformat.container.layout import pack_header
from dcz.dcformat.container.manifest import DICTIONARY


def tensors() -> dict[str, Any]:
    """One tensor of every encoding, and odd ones."""
    rng = np.random.default_rng(11)
    kernel = np.where(rng.random((6, 2, 3, 3)) < 0.07, rng.choice([-0.5, 0.25, 0.75], (6, 2, 3, 3)), 0)
    sparse = np.where(rng.random((30, 40)) < 0.3, rng.normal(size=(30, 40)), 0)
    return {
        "conv.weight": kernel.astype(np.float32),
        "conv.bias": rng.normal(size=6).astype(np.float32),
        "fc.weight": rng.choice([-1.5, 1, 2], (3, 96)).astype(np.float32),
        "counter": np.array(7, np.int64),
        "empty": np.zeros((0, 3), np.float32),
        "unused": sparse.astype(np.float32),
        "mask": np.array([True, False]),
        "bf16": Dense(np.array([16256, 1], np.uint16), "BF16"),
    }


def graph() -> Graph:
    nodes = (
        make_node("conv2d", (0,), {"weight": "conv.weight", "bias": "conv.bias"}, {"padding": (1, 1)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), attrs={"kernel": (2, 2), "stride": (2, 2)}),
        make_node("flatten", (3,)),
        make_node("linear", (4,), {"weight": "fc.weight"}),
    )
    return Graph((2, 8, 8), nodes, 5)


def write_full(path: Path) -> Path:
    """Write a container with a graph, all encodings, preprocessing, labels and metadata: about 2 KB."""
    preprocess = Preprocess(mode="L", resize=8, mean=(0.5,), std=(0.25,))
    stored = {name: encode(name, tensor, HUFFMAN) for name, tensor in tensors().items()}
    write(path, graph(), stored, preprocess=preprocess, labels=["cat", "Hündin", "owl"], metadata={"from": "test"})
    return path


def deflate(data: bytes, dictionary: bytes = b"") -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return stream.compress(data) + stream.flush()


def build(manifest: Any, sections: Sequence[bytes] = (), labels: bytes = b"") -> bytes:
    """A file with right checksums in its header: `manifest` is JSON text, or what to dump as JSON."""
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    return pack_header(deflate(text, DICTIONARY)) + b"".join(sections) + labels


def holding(payload: bytes, shape: Sequence[int], encoding: str, dtype: str = "F32") -> bytes:
    """A file with one tensor of this payload."""
    sections = [[len(payload), zlib.crc32(payload), 1]]
    return build({"tensors": [["t", list(shape), encoding, dtype]], "sections": sections}, [payload])


def with_graph(
    nodes: Any, input_shape: Any = (2, 8, 8), tensors: Sequence[Any] = (), top: Any = None, **more: Any
) -> bytes:
    """A file with a graph whose tensors hold zeros; `top` goes into the manifest, `more` into the graph."""
    rows = [[name, shape, "sparse_shared"] for name, shape in tensors]
    payload = b"\x01\x00" * len(rows)
    data = {"graph": {"input": input_shape, "nodes": nodes, **more}, "tensors": rows}
    data |= {"sections": [[len(payload), zlib.crc32(payload), len(rows)]], **(top or {})}
    return build(data, [payload])
