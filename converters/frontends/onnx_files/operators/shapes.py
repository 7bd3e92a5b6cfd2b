"""Operators that move elements and compute nothing, and sizes."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat.tensors import Array
from ..step import OnnxNode
from .table import axis_of, translates


@translates("Shape")
def _shape(n: OnnxNode) -> Array:
    sizes = np.array(n.tensor(0).shape, np.int64)
    return sizes[slice(n.attribute("start", 0), n.attribute("end"))]


@translates("Size")
def _size(n: OnnxNode) -> Array:
    return np.array(n.tensor(0).numel(), np.int64)


@translates("Flatten")
def _flatten(n: OnnxNode) -> Tensor:
    x, axis = n.tensor(0), n.attribute("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), -1)


@translates("Reshape")
def _reshape(n: OnnxNode) -> Tensor:
    x, sizes = n.tensor(0), n.ints("shape", 1)
    assert sizes is not None
    if not n.attribute("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return x.reshape(sizes)


@translates("Squeeze")
def _squeeze(n: OnnxNode) -> Tensor:
    x, axes = n.tensor(0), n.ints("axes", 1)
    axes = [i for i, size in enumerate(x.shape) if size == 1] if axes is None else [axis % x.dim() for axis in axes]
    return x.reshape([size for i, size in enumerate(x.shape) if i not in axes])


@translates("Unsqueeze")
def _unsqueeze(n: OnnxNode) -> Tensor:
    x, axes = n.tensor(0), n.ints("axes", 1)
    assert axes is not None
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@translates("Transpose")
def _transpose(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    order = n.attribute("perm", list(range(x.dim()))[::-1])
    if list(order) == list(range(x.dim())):
        return x
    return x.t() if x.dim() == 2 else x.permute(order)


@translates("Concat")
def _concat(n: OnnxNode) -> Tensor:
    tensors = n.tensors()
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, axis_of(n, tensors[0].dim(), 1))


@translates("Split")
def _split(n: OnnxNode) -> tuple[Tensor, ...]:
    x, sizes = n.tensor(0), n.ints("split", 1)
    axis = axis_of(n, x.dim())
    size = -(-x.shape[axis] // n.attribute("num_outputs", n.output_count))
    return torch.split(x, size if sizes is None else sizes, axis)


@translates("Slice")
def _slice(n: OnnxNode) -> Tensor:
    x, starts, ends = n.tensor(0), n.ints("starts", 1), n.ints("ends", 2)
    assert starts is not None
    assert ends is not None
    axes = n.ints("axes", 3) or list(range(len(starts)))
    steps = n.ints("steps", 4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        first, stop, stride = slice(start, _end(end, step, size), step).indices(size)
        if stride > 0:
            x = x if (first, stop, stride) == (0, size, 1) else _cut(x, axis % x.dim(), first, stop, stride)
        else:
            indices = range(first, stop, stride)
            x = _cut(x.flip(axis), axis % x.dim(), size - 1 - first, size - 1 - first + len(indices) * -stride, -stride)
    return x


def _end(end: int, step: int, size: int) -> int | None:
    """The end as Python takes it: backwards past the front there is none."""
    return None if step < 0 and end < -size else end


def _cut(x: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
    parts = [slice(None)] * axis + [slice(start, max(stop, start), step)]
    return x[tuple(parts)]


@translates("Gather")
def _gather(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    axis = axis_of(n, x.dim())
    if not n.is_constant(1):
        n.require(n.is_constant(0) and axis == 0, "indices that depend on the input must look up rows of a constant")
        return F.embedding(n.tensor(1), x)
    indices = n.numbers(1) % x.shape[axis]
    if indices.ndim == 0:
        return x.select(axis, int(indices))
    picked = indices.reshape(-1)
    steps = np.unique(np.diff(picked))
    if len(picked) == 1 or (len(steps) == 1 and steps[0] > 0):
        step = int(steps[0]) if len(steps) else 1
        y = _cut(x, axis, int(picked[0]), int(picked[-1]) + 1, step)
    else:
        y = x.index_select(axis, torch.from_numpy(np.array(picked, np.int64)))
    return y if indices.ndim == 1 else y.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@translates("Expand")
def _expand(n: OnnxNode) -> Tensor:
    x, sizes = n.tensor(0), [int(size) for size in n.numbers(1)]
    shape = np.broadcast_shapes(tuple(x.shape), tuple(sizes))
    return x if tuple(x.shape) == shape else x.expand(shape)


@translates("Tile")
def _tile(n: OnnxNode) -> Tensor:
    return n.tensor(0).repeat([int(count) for count in n.numbers(1)])


MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
"""Modes of padding: ONNX's name, and torch's."""


@translates("Pad")
def _pad(n: OnnxNode) -> Tensor:
    x, pads, mode = n.tensor(0), n.ints("pads", 1), n.attribute("mode", "constant")
    assert pads is not None
    n.require(mode in MODES, f"mode {mode} is not known")
    axes = [axis % x.dim() for axis in n.ints("axes", 3) or range(x.dim())]
    widths = {axis: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    last_first = [widths.get(axis, (0, 0)) for axis in reversed(range(x.dim()))]
    while last_first and last_first[-1] == (0, 0):
        last_first.pop()
    flat = [width for pair in last_first for width in pair]
    if mode != "constant":
        return F.pad(x, flat, MODES[mode]) if flat else x
    return F.pad(x, flat, value=n.scalar("value", 2, 0.0)) if flat else x


@translates("DepthToSpace")
def _depth_to_space(n: OnnxNode) -> Tensor:
    x, block = n.tensor(0), n.attribute("blocksize")
    if n.attribute("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    batch, channels, height, width = x.shape
    apart = x.reshape(batch, block, block, channels // block**2, height, width)
    return apart.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // block**2, height * block, width * block)


@translates("SpaceToDepth")
def _space_to_depth(n: OnnxNode) -> Tensor:
    x, block = n.tensor(0), n.attribute("blocksize")
    batch, channels, height, width = x.shape
    apart = x.reshape(batch, channels, height // block, block, width // block, block)
    return apart.permute(0, 3, 5, 1, 2, 4).reshape(batch, channels * block**2, height // block, width // block)


@translates("GatherND")
def _gather_nd(n: OnnxNode) -> Tensor:
    """One number for each of the first axes."""
    x = n.tensor(0)
    n.require(not n.attribute("batch_dims", 0), "batch_dims other than 0 is not supported")
    if not n.is_constant(1):
        computed = n.tensor(1)
        return x[tuple(computed.select(-1, axis) for axis in range(computed.shape[-1]))]
    return x[tuple(torch.from_numpy(np.array(numbers)) for numbers in np.moveaxis(n.numbers(1), -1, 0))]


@translates("If")
def _if(n: OnnxNode) -> Tensor:
    n.fail("the condition depends on the network's input; dcz has no control flow")
