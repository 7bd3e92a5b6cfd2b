"""Layers with weights: convolutions and products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..step import OnnxNode
from .table import translates
from .windows import Windows

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
"""By the number of spatial axes."""


@translates("Conv")
def _conv(n: OnnxNode) -> Tensor:
    x, weight = n.tensor(0), n.tensor(1)
    rank = weight.dim() - 2
    n.require(rank in CONVOLUTIONS, f"a convolution over {rank} axes is not supported")
    windows = Windows.of(n, weight.shape[2:], x.shape[2:])
    padding = windows.before if windows.is_even else [0] * rank
    x = x if windows.is_even else windows.padded(x)
    groups = n.attribute("group", 1)
    return CONVOLUTIONS[rank](x, weight, n.optional(2), windows.strides, padding, windows.dilations, groups)


@translates("ConvTranspose")
def _conv_transpose(n: OnnxNode) -> Tensor:
    """What padding cuts off at the two ends may differ: the rest is cut behind, or added by ``output_padding``."""
    x, weight = n.tensor(0), n.tensor(1)
    rank = weight.dim() - 2
    n.require(rank in TRANSPOSED, f"a convolution over {rank} axes is not supported")
    strides, dilations = n.attribute("strides", [1] * rank), n.attribute("dilations", [1] * rank)
    extra = n.attribute("output_padding", [0] * rank)
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    full = [(x.shape[2 + i] - 1) * strides[i] + reach[i] + extra[i] for i in range(rank)]
    before, after = _cut_off(n, rank, full, [x.shape[2 + i] * strides[i] for i in range(rank)])
    even = [min(b, a) for b, a in zip(before, after, strict=True)]
    groups = n.attribute("group", 1)
    y = TRANSPOSED[rank](x, weight, n.optional(2), strides, even, extra, groups, dilations)
    for i in range(rank):
        first, last = before[i] - even[i], after[i] - even[i]
        if first or last:
            y = y.narrow(2 + i, first, y.shape[2 + i] - first - last)
    return y


def _cut_off(n: OnnxNode, rank: int, full: list[int], same: list[int]) -> tuple[list[int], list[int]]:
    """Elements that are cut off before and behind each axis of the full result."""
    wanted, auto_pad = n.attribute("output_shape"), n.attribute("auto_pad", "NOTSET")
    if auto_pad.startswith("SAME") and wanted is None:
        wanted = same
    if wanted is None:
        pads = n.attribute("pads", [0] * 2 * rank) if auto_pad == "NOTSET" else [0] * 2 * rank
        return list(pads[:rank]), list(pads[rank:])
    totals = [size - want for size, want in zip(full, wanted[-rank:], strict=True)]
    n.require(min(totals) >= 0, "output_shape is larger than the result")
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return (small, large) if auto_pad == "SAME_UPPER" else (large, small)


@translates("Gemm")
def _gemm(n: OnnxNode) -> Tensor:
    a, b, c = n.tensor(0), n.tensor(1), n.optional(2)
    alpha, beta = n.attribute("alpha", 1.0), n.attribute("beta", 1.0)
    a = a.t() if n.attribute("transA", 0) else a
    b = b if n.attribute("transB", 0) else b.t()
    b = b if alpha == 1 else b * alpha
    if c is None or beta == 0:
        return F.linear(a, b)
    c = c if beta == 1 else c * beta
    if n.is_constant(2) and c.numel() == b.shape[0] and c.shape[-1] == b.shape[0]:
        return F.linear(a, b, c.reshape(-1))
    return F.linear(a, b) + c


@translates("MatMul")
def _matmul(n: OnnxNode) -> Tensor:
    return torch.matmul(n.tensor(0), n.tensor(1))


@translates("Einsum")
def _einsum(n: OnnxNode) -> Tensor:
    return torch.einsum(n.attribute("equation"), *n.tensors())
