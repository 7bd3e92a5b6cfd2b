"""Folding of bias and batch normalisation into a scale and a shift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ...dcformat import Node, Tensor
from ..kernels.contract import F32

Decode = Callable[[str], Tensor]
"""A function from a name to a tensor of the container."""
_F64: TypeAlias = NDArray[np.float64]


def scale_and_shift(node: Node | None, norms: Sequence[Node], decode: Decode) -> tuple[F32 | None, F32 | None]:
    """Fold a node's bias and the batch normalisations after it into ``scale * x + shift``.

    Computed in float64 (Ioffe & Szegedy 2015, algorithm 2), then rounded once.

    Parameters
    ----------
    node : Node or None
        Its ``bias`` is taken, if it has one.
    norms : sequence of Node
        In the order in which they are applied.
    decode : callable

    Returns
    -------
    scale, shift : ndarray of float32, shape (channels,), or None
        None stands for a scale of ones, or a shift of zeros.
    """
    scale: _F64 | None = None
    shift = _vector(node, "bias", decode) if node is not None else None
    for norm in norms:
        variance, mean = _vector(norm, "running_var", decode), _vector(norm, "running_mean", decode)
        gamma, beta = _vector(norm, "weight", decode), _vector(norm, "bias", decode)
        assert variance is not None
        assert mean is not None
        with np.errstate(divide="ignore", invalid="ignore"):  # a negative variance gives inf or NaN, as elsewhere
            factor = (1.0 if gamma is None else gamma) / np.sqrt(variance + cast(float, norm.attrs["eps"]))
            shift = ((0.0 if shift is None else shift) - mean) * factor + (0.0 if beta is None else beta)
            scale = factor if scale is None else scale * factor
    return _rounded(scale), _rounded(shift)


def _vector(node: Node, role: str, decode: Decode) -> _F64 | None:
    """A bias or a parameter of a normalisation, exact in float64; None where the node has none."""
    if role not in node.params:
        return None
    tensor = decode(node.params[role])
    if tensor.dtype == "BF16":
        tensor = tensor.float32()
    return tensor.dense().astype(np.float64)


def _rounded(vector: _F64 | None) -> F32 | None:
    with np.errstate(over="ignore"):
        return None if vector is None else vector.astype(np.float32)
