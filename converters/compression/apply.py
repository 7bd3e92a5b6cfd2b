"""Applies pruning and weight sharing to the tensors of a source, and measures the error.

This is the lossy part of a conversion, on request only. The encoding that follows is always exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ...dcformat import ConversionError, Dense, Graph
from ...dcformat.graph.ops import FILTERED
from ...dcformat.tensors import FLOATS, Array, flat_pieces, numbers
from ..frontends.arrays import STORABLE, from_torch, to_torch
from ..frontends.source import Source
from .clustering import Clustering
from .pruning import PruneRule
from .sharing import BitsRule, clusters_above


@dataclass(frozen=True)
class TensorError:
    """Difference of a stored tensor from the checkpoint's: largest and root-mean-square difference of elements."""

    max_error: float = 0.0
    rms_error: float = 0.0


def weight_names(source: Source) -> list[str]:
    """Names of the tensors that may be pruned and shared: the weights of convolutions, linear and recurrent layers.

    Biases and normalisation are never among them. Without a graph: all floating-point tensors with two axes or more.
    """
    if source.graph is None:
        return [n for n, t in source.tensors.items() if t.dtype in FLOATS and t.array.ndim >= 2 and t.array.size]
    return [name for name in _multiplied(source.graph) if source.tensors[name].dtype in FLOATS]


def _multiplied(graph: Graph) -> list[str]:
    """Names of the tensors that a graph multiplies with values."""
    names = (node.params[role] for node in graph.nodes for role in FILTERED.get(node.op, ()))
    return list(dict.fromkeys(names))


def left_as_they_are(source: Source) -> list[str]:
    """Names of the weight tensors that pruning and sharing skip, because they hold integers."""
    if source.graph is None:
        names = [name for name, tensor in source.tensors.items() if tensor.array.ndim >= 2]
    else:
        names = _multiplied(source.graph)
    return [name for name in names if source.tensors[name].dtype not in FLOATS]


def negative_zeros(source: Source) -> int:
    """Number of negative zeros among the weights: products with a mask. Each is stored like any other weight."""
    weights = (source.tensors[name].array for name in weight_names(source))
    return sum(
        int(np.count_nonzero(bits == 1 << 8 * bits.itemsize - 1))
        for weight in weights
        for (bits,) in flat_pieces(weight.view(f"u{weight.itemsize}"))
    )


class Compression:
    """Pruning and weight sharing, tensor by tensor; element types stay.

    Parameters
    ----------
    source : Source
    prune : PruneRule or None
        Rule for weights that become zero, layer by layer. None: no pruning.
    bits : BitsRule or None
        Bits of each layer's shared weights. None: the weights keep their values.
    how : Clustering, optional
        Method to find the shared values.
    positive_zeros : bool
        Make negative zeros positive ones.

    Raises
    ------
    ConversionError
        A key of `bits` names no layer.
    """

    def __init__(
        self,
        source: Source,
        prune: PruneRule | None,
        bits: BitsRule | None,
        how: Clustering | None = None,
        *,
        positive_zeros: bool = False,
    ) -> None:
        self._prune, self._bits, self._positive_zeros = prune, bits, positive_zeros
        self._how = how if how is not None else Clustering()
        self._weights = frozenset(names := weight_names(source))
        unknown = bits.unknown(names) if bits else []
        if unknown:
            layers = ", ".join(name.removesuffix(".weight") for name in names)
            raise ConversionError(f"--bits names no layer {unknown[0]!r}", expected=f"conv, fc or one of {layers}")

    def __call__(self, name: str, tensor: Dense) -> tuple[Dense, TensorError | None]:
        """Prune and share a tensor, if its layer is concerned.

        Parameters
        ----------
        name : str
        tensor : Dense
            Not changed.

        Returns
        -------
        after : Dense
            `tensor` itself if nothing changes.
        error : TensorError or None
            None if no bit changes.

        Raises
        ------
        ConversionError
            A weight is not finite.
        """
        if name not in self._weights:
            return tensor, None
        bits = self._bits.bits(name, tensor.array.ndim) if self._bits else None
        after = from_torch(name, to_torch(tensor).add_(0.0)) if self._positive_zeros else tensor
        after = _compress_tensor(name, after, self._prune, bits, self._how)
        return (tensor, None) if _same_bits(tensor, after) else (after, error_between(tensor, after))


def error_between(before: Dense, after: Dense) -> TensorError:
    """Measure the differences in float64; NaN against the same NaN counts as none."""
    largest, squares = 0.0, list[float]()
    for first, second in flat_pieces(before.array, after.array):
        a, b = numbers(first, before.dtype), numbers(second, after.dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.subtract(a, b, dtype=np.float64)
            np.abs(difference, out=difference)
            if not difference.max() < np.inf:
                difference[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
            largest = np.maximum(largest, difference.max())  # a NaN against a number stays
            squares.append(float(np.square(difference, out=difference).sum()))
    return TensorError(float(largest), math.sqrt(sum(squares) / max(1, before.size)))


def _same_bits(before: Dense, after: Dense) -> bool:
    bits = (tensor.array.view(f"u{tensor.array.itemsize}") for tensor in (before, after))
    return before is after or all(np.array_equal(a, b) for a, b in flat_pieces(*bits))


def _compress_tensor(name: str, tensor: Dense, prune: PruneRule | None, bits: int | None, how: Clustering) -> Dense:
    if prune is None and bits is None:
        return tensor
    weight: Array = tensor.numbers().astype(np.float32, copy=False)
    if not all(np.isfinite(piece).all() for (piece,) in flat_pieces(weight)):
        raise ConversionError(f"cannot prune or share {name!r}: it holds NaN or infinity")
    threshold = prune.threshold(weight) if prune is not None else 0.0
    clusters = clusters_above(weight, threshold, bits, how) if bits is not None else None
    weight = weight.copy()
    if clusters is not None:
        clusters.replace(weight, threshold, prune=prune is not None)
    else:
        for (piece,) in flat_pieces(weight):
            piece[np.abs(piece) <= threshold] = 0
    if tensor.dtype == "F64" and _none_moved(tensor, weight):
        return Dense(np.where(weight == 0, weight, tensor.array), "F64")  # unpruned weights keep all bits of float64
    kind = next(kind for kind, dtype in STORABLE.items() if dtype == tensor.dtype)
    return from_torch(name, torch.from_numpy(weight).to(kind))


def _none_moved(before: Dense, after: Array) -> bool:
    """Whether all non-zero weights of `after` equal, in float32, those before."""
    stays = after != 0
    return np.array_equal(after[stays], before.array[stays].astype(np.float32))
