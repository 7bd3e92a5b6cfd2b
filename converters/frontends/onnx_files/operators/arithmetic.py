"""Arithmetic of several values, and changes of type."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from onnx import TensorProto
from torch import Tensor

from ..step import OnnxNode
from .table import TRANSLATIONS, translates

BINARY: dict[str, Callable[[Any, Any], Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": torch.div,
}


def _binary(n: OnnxNode) -> Tensor:
    a, b = n.operand(0), n.operand(1)
    if n.op == "Sub" and not isinstance(a, Tensor):
        return torch.rsub(b, a)  # type: ignore[arg-type]
    if n.op == "Div" and not isinstance(a, Tensor):
        return torch.reciprocal(n.tensor(1)) if a == 1 else n.tensor(0) / n.tensor(1)
    if not isinstance(a, Tensor):
        a, b = b, a
    return BINARY[n.op](a, b)


TRANSLATIONS |= dict.fromkeys(BINARY, _binary)


@translates("Pow")
def _pow(n: OnnxNode) -> Tensor:
    exponent = n.number(1)
    return torch.pow(n.tensor(0), exponent if exponent is not None else n.tensor(1))


@translates("Sum")
def _sum(n: OnnxNode) -> Tensor:
    return reduce(torch.add, n.tensors())


@translates("Mean")
def _mean(n: OnnxNode) -> Tensor:
    return reduce(torch.add, n.tensors()) / len(n.tensors())


@translates("Max")
def _max(n: OnnxNode) -> Tensor:
    return reduce(torch.maximum, n.tensors())


@translates("Min")
def _min(n: OnnxNode) -> Tensor:
    return reduce(torch.minimum, n.tensors())


COMPARISONS: dict[str, Callable[[Any, Any], Tensor]] = {
    "Equal": torch.eq,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "And": torch.logical_and,
    "Or": torch.logical_or,
}
TRANSLATIONS |= dict.fromkeys(COMPARISONS, lambda n: COMPARISONS[n.op](n.tensor(0), n.tensor(1)))


@translates("Not")
def _not(n: OnnxNode) -> Tensor:
    return torch.logical_not(n.tensor(0))


@translates("Where")
def _where(n: OnnxNode) -> Tensor:
    return torch.where(n.tensor(0), n.tensor(1), n.tensor(2))


TYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT64: torch.int64,
    TensorProto.INT32: torch.int32,
    TensorProto.INT16: torch.int16,
    TensorProto.INT8: torch.int8,
    TensorProto.UINT8: torch.uint8,
    TensorProto.BOOL: torch.bool,
}
"""ONNX's element types that torch computes with."""


@translates("Cast")
def _cast(n: OnnxNode) -> Tensor:
    to = n.attribute("to")
    n.require(to in TYPES, f"element type {TensorProto.DataType.Name(to)} is not supported")
    return n.tensor(0).to(TYPES[to])


@translates("CastLike")
def _cast_like(n: OnnxNode) -> Tensor:
    return n.tensor(0).to(n.tensor(1).dtype)
