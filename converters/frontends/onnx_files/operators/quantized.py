"""Quantized weights become plain ones, exactly; quantized activations are refused."""

from __future__ import annotations

import torch
from torch import Tensor

from ..step import OnnxNode
from .table import axis_of, translates

OF_ACTIVATIONS = (
    "rounds activations to 8 bits, and dcz computes in fp32; convert the network as it was before quantization, with "
    "--bits 8, or quantize its weights alone"
)


@translates("DequantizeLinear")
def _dequantize(n: OnnxNode) -> Tensor:
    """(x - zero_point) * scale, with one scale for all, or one a channel."""
    n.require(n.is_constant(0), OF_ACTIVATIONS)
    n.require(not n.attribute("block_size", 0), "a scale for each block of an axis is not supported")
    x, scale = n.tensor(0), n.tensor(1)
    along = _along(n, x, scale)
    numbers = x.to(scale.dtype)
    zero = n.optional(2)
    return (numbers if zero is None else numbers - zero.to(scale.dtype).reshape(along)) * scale.reshape(along)


@translates("QuantizeLinear")
def _quantize(n: OnnxNode) -> Tensor:
    n.require(n.is_constant(0), OF_ACTIVATIONS)
    x, scale, zero = n.tensor(0), n.tensor(1), n.optional(2)
    kind = torch.uint8 if zero is None else zero.dtype
    along, limits = _along(n, x, scale), torch.iinfo(kind)
    steps = torch.round(x / scale.reshape(along))
    moved = steps if zero is None else steps + zero.to(x.dtype).reshape(along)
    return torch.clamp(moved, limits.min, limits.max).to(kind)


def _along(n: OnnxNode, x: Tensor, scale: Tensor) -> list[int]:
    """The shape in which numbers along one axis of `x` meet it."""
    shape = [1] * x.dim()
    if scale.numel() > 1:
        shape[axis_of(n, x.dim(), 1)] = scale.numel()
    return shape


@translates("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul")
def _of_integers(n: OnnxNode) -> Tensor:
    n.fail(OF_ACTIVATIONS)
