"""Functions of one number, and softmax."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..step import OnnxNode
from .table import TRANSLATIONS, axis_of, translates

PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "Relu": F.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "HardSwish": F.hardswish,
    "Mish": F.mish,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sqrt": torch.sqrt,
    "Reciprocal": torch.reciprocal,
    "Abs": torch.abs,
    "Neg": torch.neg,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tan": torch.tan,
    "Sinh": torch.sinh,
    "Cosh": torch.cosh,
    "IsNaN": torch.isnan,
    "Identity": lambda x: x,
}
"""Operators without attributes."""


def _plain(function: Callable[[Tensor], Tensor]) -> Callable[[OnnxNode], Tensor]:
    return lambda n: function(n.tensor(0))


TRANSLATIONS |= {op: _plain(function) for op, function in PLAIN.items()}


@translates("LeakyRelu")
def _leaky_relu(n: OnnxNode) -> Tensor:
    return F.leaky_relu(n.tensor(0), n.attribute("alpha", 0.01))


@translates("Elu")
def _elu(n: OnnxNode) -> Tensor:
    return F.elu(n.tensor(0), n.attribute("alpha", 1.0))


@translates("Celu")
def _celu(n: OnnxNode) -> Tensor:
    return F.celu(n.tensor(0), n.attribute("alpha", 1.0))


@translates("Selu")
def _selu(n: OnnxNode) -> Tensor:
    alpha, gamma = n.attribute("alpha", 1.67326319217681884765625), n.attribute("gamma", 1.05070102214813232421875)
    return torch.mul(F.elu(n.tensor(0), alpha), gamma)


@translates("ThresholdedRelu")
def _thresholded_relu(n: OnnxNode) -> Tensor:
    return F.threshold(n.tensor(0), n.attribute("alpha", 1.0), 0.0)


@translates("HardSigmoid")
def _hard_sigmoid(n: OnnxNode) -> Tensor:
    alpha, beta = n.attribute("alpha", 0.2), n.attribute("beta", 0.5)
    if np.float32(alpha) == np.float32(1 / 6) and beta == 0.5:
        return F.hardsigmoid(n.tensor(0))
    return torch.clamp(n.tensor(0) * alpha + beta, 0.0, 1.0)


@translates("Gelu")
def _gelu(n: OnnxNode) -> Tensor:
    return F.gelu(n.tensor(0), approximate=n.attribute("approximate", "none"))


@translates("Swish")
def _swish(n: OnnxNode) -> Tensor:
    x, alpha = n.tensor(0), n.attribute("alpha", 1.0)
    return F.silu(x) if alpha == 1 else x * torch.sigmoid(x * alpha)


@translates("PRelu")
def _prelu(n: OnnxNode) -> Tensor:
    x, slope = n.tensor(0), n.tensor(1)
    sizes = [size for size in slope.shape if size > 1]
    rank = x.dim() - 2
    of_channels = slope.shape in ((x.shape[1],), (x.shape[1], *(1,) * rank), (1, x.shape[1], *(1,) * rank))
    if not sizes or (of_channels and (slope.dim() > 1 or n.opset < 7)):
        return F.prelu(x, slope.reshape(-1))
    return F.relu(x) - F.relu(-x) * slope


@translates("Clip")
def _clip(n: OnnxNode) -> Tensor:
    x, limits = n.tensor(0), (n.scalar("min", 1, -np.inf), n.scalar("max", 2, np.inf))
    # A limit of torch.clamp that is a float makes floats of integers.
    number = float if x.is_floating_point() else int
    low, high = (None if np.isinf(limit) else number(limit) for limit in limits)
    return x if low is None and high is None else torch.clamp(x, low, high)


@translates("Softmax", "LogSoftmax")
def _softmax(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    function = torch.log_softmax if n.op == "LogSoftmax" else torch.softmax
    if n.opset >= 13:
        return function(x, axis_of(n, x.dim(), -1))
    axis = axis_of(n, x.dim(), 1)
    if all(size == 1 for size in x.shape[axis + 1 :]):
        return function(x, axis)
    return function(x.flatten(axis), -1).reshape(x.shape)  # over all axes from this one on


@translates("Dropout")
def _dropout(n: OnnxNode) -> Tensor:
    training = bool(n.numbers(2)) if n.has(2) else False
    n.require(not training, "dropout is switched on; export the network in inference mode")
    n.require(not n.wants(1), "the mask of a dropout is not supported")
    return n.tensor(0)
