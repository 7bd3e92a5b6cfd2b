"""Song Han's published compressed SqueezeNet (github.com/songhan/SqueezeNet-Deep-Compression, BSD-2).

The file has no header. Little-endian: for each of the 26 convolutions a uint32, its number n of stored entries; then,
layer by layer,

======================  ==========================================================================
256 float32             codebook; entry 0 is 0.0
out_channels float32    bias
n bytes                 index into the codebook
(n + 1) // 2 bytes      4-bit gaps, low nibble first; position in the flat OIHW tensor = cumsum(gap + 1) - 1
======================  ==========================================================================

A gap over 16 is bridged by an entry of gap 15 and index 0, a stored zero. There is no Huffman stage.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...dcformat import Attr, ConversionError, Dense, Graph, GraphBuilder, Preprocess, Shape, Value
from ...dcformat.tensors import Array
from .presets import labels_preset
from .source import Source

CODEBOOK_SIZE = 256
PREPROCESS = Preprocess(mode="BGR", resize=227, crop=(227, 227), scale=1.0, mean=(104.0, 117.0, 123.0))
"""Caffe's preprocessing: blue first, pixels 0..255 minus the mean of each channel."""


class Fire(NamedTuple):
    """Index of each fire module in torchvision's ``features``, and its channels: input, squeeze, each expansion."""

    place: int
    inputs: int
    squeeze: int
    expand: int


FIRES = (
    Fire(3, 96, 16, 64),
    Fire(4, 128, 16, 64),
    Fire(5, 128, 32, 128),
    Fire(7, 256, 32, 128),
    Fire(8, 256, 48, 192),
    Fire(9, 384, 48, 192),
    Fire(10, 384, 64, 256),
    Fire(12, 512, 64, 256),
)
POOLED_AFTER = (5, 10)
"""Fire modules followed by a pool. The first convolution is followed by one, too."""


def layers() -> list[tuple[str, Shape]]:
    """Names (torchvision's) and weight shapes (O, I, KH, KW) of the 26 convolutions, in the file's order."""
    result: list[tuple[str, Shape]] = [("features.0", (96, 3, 7, 7))]
    for place, inputs, squeeze, expand in FIRES:
        result += [
            (f"features.{place}.squeeze", (squeeze, inputs, 1, 1)),
            (f"features.{place}.expand1x1", (expand, squeeze, 1, 1)),
            (f"features.{place}.expand3x3", (expand, squeeze, 3, 3)),
        ]
    return [*result, ("classifier.1", (1000, 512, 1, 1))]


def from_han(path: Path) -> Source:
    """Read the file: tensors under torchvision's names, and the graph of Caffe's net (its last convolution is padded).

    Raises
    ------
    ConversionError
        The length differs from the sum of the layers' counts, or an entry lies outside its layer.
    """
    source = Source({}, preprocess=PREPROCESS, labels=labels_preset("imagenet"))
    with source.timed("load"):
        source.tensors = _read_tensors(path.read_bytes())
    with source.timed("capture"):
        source.graph = build_graph()
    source.messages.append("recognised Song Han's compressed SqueezeNet 1.0")
    return source


def _read_tensors(data: bytes) -> dict[str, Dense]:
    named = layers()
    header = 4 * len(named)
    if len(data) < header:
        raise ConversionError(
            "not Song Han's compressed SqueezeNet", expected=f"{header} bytes or more", found=len(data)
        )
    counts = [int(n) for n in np.frombuffer(data, "<u4", len(named))]
    sizes = [4 * CODEBOOK_SIZE + 4 * shape[0] + n + (n + 1) // 2 for (_, shape), n in zip(named, counts, strict=True)]
    if header + sum(sizes) != len(data):
        raise ConversionError(
            "not Song Han's compressed SqueezeNet: the layers' counts do not give the file's length",
            expected=f"{header + sum(sizes)} bytes",
            found=len(data),
        )
    tensors: dict[str, Dense] = {}
    at = header
    for (name, shape), count, size in zip(named, counts, sizes, strict=True):
        weight, bias = _read_layer(data[at : at + size], name, shape, count)
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = Dense(weight, "F32"), Dense(bias, "F32")
        at += size
    return tensors


def _read_layer(data: bytes, name: str, shape: Shape, count: int) -> tuple[Array, Array]:
    codebook = np.frombuffer(data, "<f4", CODEBOOK_SIZE)
    bias = np.frombuffer(data, "<f4", shape[0], offset=4 * CODEBOOK_SIZE)
    start = 4 * (CODEBOOK_SIZE + shape[0])
    symbols = np.frombuffer(data, np.uint8, count, offset=start)
    packed = np.frombuffer(data, np.uint8, offset=start + count)
    gaps = np.stack([packed & 15, packed >> 4], axis=1).ravel()[:count]
    positions = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if count and positions[-1] >= prod(shape):
        raise ConversionError(
            f"an entry lies outside of the layer {name!r}", expected=f"< {prod(shape)}", found=int(positions[-1])
        )
    weight = np.zeros(prod(shape), np.float32)
    weight[positions] = codebook[symbols]
    return weight.reshape(shape), bias.astype(np.float32)


def build_graph() -> Graph:
    """SqueezeNet 1.0 as its Caffe definition has it: (3, 227, 227) -> 1000 scores, before the softmax."""
    shapes: dict[str, Shape] = {}
    for name, shape in layers():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    g = GraphBuilder((3, 227, 227), shapes)

    def conv_relu(x: Value, layer: str, stride: int = 1, padding: int = 0) -> Value:
        params = {role: f"{layer}.{role}" for role in ("weight", "bias")}
        conv = g.append("conv2d", [x], params, {"stride": (stride,) * 2, "padding": (padding,) * 2})
        return g.append("relu", [conv])

    def pool(x: Value) -> Value:
        attrs: dict[str, Attr] = {"kernel": (3, 3), "stride": (2, 2), "ceil_mode": True}
        return g.append("max_pool2d", [x], attrs=attrs)

    x = pool(conv_relu(g.input, "features.0", stride=2))
    for fire in FIRES:
        squeezed = conv_relu(x, f"features.{fire.place}.squeeze")
        expanded = [
            conv_relu(squeezed, f"features.{fire.place}.expand1x1"),
            conv_relu(squeezed, f"features.{fire.place}.expand3x3", padding=1),
        ]
        x = g.append("concat", expanded)
        if fire.place in POOLED_AFTER:
            x = pool(x)
    x = g.append("adaptive_avg_pool2d", [conv_relu(x, "classifier.1", padding=1)], attrs={"output": (1, 1)})
    return g.finish(g.reshape(x, (prod(x.shape),)))
