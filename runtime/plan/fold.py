"""Folding of bias, batch normalisation and arithmetic with constants into a scale and a shift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ...dcformat import Node, Tensor
from ..kernels.contract import F32
from .fuse import Layer

Decode = Callable[[str], Tensor]
"""A function from a name to a tensor of the container."""
_F64: TypeAlias = NDArray[np.float64]


def scale_and_shift(
    node: Node | None, norms: Sequence[Layer], decode: Decode, channels: int
) -> tuple[F32 | None, F32 | None]:
    """Fold a node's bias and what scales and shifts its channels after it into ``scale * x + shift``.

    Computed in float64 (Ioffe & Szegedy 2015, algorithm 2), then rounded once.

    Parameters
    ----------
    node : Node or None
        Its ``bias`` is taken, if it has one.
    norms : sequence of Layer
        In the order in which they are applied.
    decode : callable
    channels : int

    Returns
    -------
    scale, shift : ndarray of float32, shape (channels,), or None
        None stands for a scale of ones, or a shift of zeros.
    """
    scale: _F64 | None = None
    shift = _vector(node.params, "bias", decode) if node is not None else None
    for norm in norms:
        with np.errstate(divide="ignore", invalid="ignore"):  # a negative variance gives inf or NaN, as elsewhere
            before, factor, after = _steps(norm, decode)
            shift = ((0.0 if shift is None else shift) + before) * factor + after
            scale = factor if scale is None else scale * factor
    return _rounded(scale, channels), _rounded(shift, channels)


def _steps(norm: Layer, decode: Decode) -> tuple[_F64, _F64, _F64]:
    """A layer as ``(x + before) * factor + after``, each a number a channel or one for all."""
    zero, one = np.zeros(1), np.ones(1)
    node, constant = norm.node, _constant(norm, decode)
    match node.op, 0 in norm.constants:
        case "batch_norm", _:
            gamma, beta = (_vector(node.params, role, decode) for role in ("weight", "bias"))
            mean, variance = (_vector(node.params, role, decode) for role in ("running_mean", "running_var"))
            assert variance is not None
            assert mean is not None
            factor = (one if gamma is None else gamma) / np.sqrt(variance + cast(float, node.attrs["eps"]))
            return -mean, factor, zero if beta is None else beta
        case "affine", _:
            rounded = np.array([node.attrs["scale"], node.attrs["shift"]], np.float32).astype(np.float64)
            return zero, rounded[:1], rounded[1:]
        case "add", _:
            return constant, one, zero
        case "sub", True:
            return zero, -one, constant
        case "sub", _:
            return -constant, one, zero
        case "mul", _:
            return zero, constant, zero
    return zero, one / constant, zero


def _constant(norm: Layer, decode: Decode) -> _F64:
    """The constant of arithmetic with one, flat; zero for other operators."""
    found = _vector(norm.constants, next(iter(norm.constants), None), decode)
    return np.zeros(1) if found is None else found.reshape(-1)


def _vector(names: Mapping[Any, str], role: Any, decode: Decode) -> _F64 | None:
    """A tensor, exact in float64; None where there is no such role."""
    if role not in names:
        return None
    tensor = decode(names[role])
    if tensor.dtype == "BF16":
        tensor = tensor.float32()
    return tensor.dense().astype(np.float64)


def _rounded(vector: _F64 | None, channels: int) -> F32 | None:
    if vector is None:
        return None
    with np.errstate(over="ignore"):
        return np.broadcast_to(vector, (channels,)).astype(np.float32)
