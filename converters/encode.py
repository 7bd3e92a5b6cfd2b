"""From a source to a container's tensors: as they are, or pruned and shared as asked, with the error that this makes.

How each tensor is then written in the fewest bytes is the writer's business, and always exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..dcformat import ConversionError, Dense
from ..dcformat.tensors import FLOATS, Array
from .arrays import STORABLE, from_torch, to_torch
from .compression.clustering import Clustering
from .compression.pruning import PruneRule, threshold_mask
from .compression.sharing import BitsRule, share_weights
from .progress import progress_bar
from .source import Source


@dataclass(frozen=True)
class TensorError:
    """How far a stored tensor is from the checkpoint's: largest and root-mean-square difference of their elements."""

    max_error: float = 0.0
    rms_error: float = 0.0


def weight_names(source: Source) -> list[str]:
    """Names of the tensors that may be pruned and shared: the weights of convolutions and linear layers.

    Never biases or normalisation. Without a graph, the floating-point tensors with two axes or more.
    """
    if source.graph is None:
        return [n for n, t in source.tensors.items() if t.dtype in FLOATS and t.array.ndim >= 2 and t.array.size]
    layers = (node for node in source.graph.nodes if node.op in ("conv2d", "linear"))
    names = list(dict.fromkeys(node.params["weight"] for node in layers))
    return [name for name in names if source.tensors[name].dtype in FLOATS]


def left_as_they_are(source: Source) -> list[str]:
    """Names of the tensors that pruning and sharing leave alone though they hold weights: those of integers."""
    if source.graph is None:
        names = [name for name, tensor in source.tensors.items() if tensor.array.ndim >= 2]
    else:
        names = [node.params["weight"] for node in source.graph.nodes if node.op in ("conv2d", "linear")]
    return [name for name in dict.fromkeys(names) if source.tensors[name].dtype not in FLOATS]


def negative_zeros(source: Source) -> int:
    """How many weights are negative zeros, as multiplying with a mask leaves them. Each is stored like any weight."""
    weights = (to_torch(source.tensors[name]) for name in weight_names(source))
    return sum(int(((weight == 0) & weight.signbit()).sum()) for weight in weights)


def compress(
    source: Source,
    prune: PruneRule | None,
    bits: BitsRule | None,
    how: Clustering | None = None,
    *,
    positive_zeros: bool = False,
) -> tuple[dict[str, Dense], dict[str, TensorError]]:
    """Prune and share a source's weights.

    Parameters
    ----------
    source : Source
        Not changed.
    prune : PruneRule or None
        Which weights become zero, layer by layer. None: no more than are.
    bits : BitsRule or None
        How many bits each layer's shared weights get. None: the weights keep their values.
    how : Clustering, optional
        How the shared values are found.
    positive_zeros : bool
        Make negative zeros positive ones.

    Returns
    -------
    tensors : dict of str to Dense
        All of the source's, in order, each of the element type that it had.
    errors : dict of str to TensorError
        For each tensor that changed.

    Raises
    ------
    ConversionError
        A weight that is not finite, or a key of `bits` that names no layer.
    """
    tensors, errors = dict(source.tensors), dict[str, TensorError]()
    if prune is None and bits is None and not positive_zeros:
        return tensors, errors
    names = weight_names(source)
    unknown = bits.unknown(names) if bits else []
    if unknown:
        layers = ", ".join(name.removesuffix(".weight") for name in names)
        raise ConversionError(f"--bits names no layer {unknown[0]!r}", expected=f"conv, fc or one of {layers}")
    for name in progress_bar(names, desc="prune and share", unit="layer", leave=False):
        before = source.tensors[name]
        layer_bits = bits.bits(name, before.array.ndim) if bits else None
        after = from_torch(name, to_torch(before) + 0.0) if positive_zeros else before
        after = _compress_tensor(name, after, prune, layer_bits, how or Clustering())
        if after.array.tobytes() != before.array.tobytes():
            tensors[name], errors[name] = after, error_between(before, after)
    return tensors, errors


def error_between(before: Dense, after: Dense) -> TensorError:
    """Measure the differences in float64; NaN against the same NaN counts as none."""
    a, b = (to_torch(tensor).double().numpy() for tensor in (before, after))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, a - b)
    if not difference.size:
        return TensorError()
    return TensorError(float(np.abs(difference).max()), float(np.sqrt(np.mean(difference**2))))


def _compress_tensor(name: str, tensor: Dense, prune: PruneRule | None, bits: int | None, how: Clustering) -> Dense:
    if prune is None and bits is None:
        return tensor
    weight: Array = to_torch(tensor).float().numpy()
    if not np.isfinite(weight).all():
        raise ConversionError(f"cannot prune or share {name!r}: it holds NaN or infinity")
    if prune is not None:
        weight = np.where(threshold_mask(weight, prune), weight, np.float32(0))
    if bits is not None:
        weight = share_weights(weight, bits, how.init, how.seed, how.method)
    if tensor.dtype == "F64" and _none_moved(tensor, weight):
        return Dense(np.where(weight == 0, weight, tensor.array), "F64")  # those that stay keep all their bits
    kind = next(kind for kind, dtype in STORABLE.items() if dtype == tensor.dtype)
    return from_torch(name, torch.from_numpy(weight).to(kind))


def _none_moved(before: Dense, after: Array) -> bool:
    """Whether all weights that are not zero afterwards are, in float32, what they were."""
    stays = after != 0
    return np.array_equal(after[stays], before.array[stays].astype(np.float32))
