"""Weight sharing: the non-zero weights of a layer become the centroids of a one-dimensional clustering.

Deep Compression, section 3: k = 2**bits shared values a layer, chosen to minimise the squared error within clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ConversionError
from ...dcformat.tensors import flat_pieces
from .clustering import Clustering, Clusters, find_clusters

MAX_BITS = 8


def share_weights(
    weight: NDArray[Any], bits: int, init: str = "linear", seed: int = 0, method: str = "kmeans"
) -> NDArray[np.float32]:
    """Replace each non-zero weight by one of at most ``2**bits`` centroids.

    Zeros stay zero and no centroid is zero. A layer with at most ``2**bits`` distinct non-zero values does not change.

    Parameters
    ----------
    weight : ndarray of float, any shape
        One layer.
    bits : int
        1 to 8.
    init, seed, method
        As in `clustering.Clustering`.

    Returns
    -------
    ndarray of float32, of the same shape

    Raises
    ------
    ConversionError
        A weight is not finite, or an argument is out of range.
    """
    if not 1 <= bits <= MAX_BITS:
        raise ConversionError("bits out of range", expected=f"1 to {MAX_BITS}", found=bits)
    shared = np.array(weight, dtype=np.float32, order="C")
    clusters = clusters_above(shared, 0.0, bits, Clustering(init, method, seed))
    clusters.replace(shared)
    return shared


def clusters_above(weight: NDArray[np.float32], threshold: float, bits: int, how: Clustering) -> Clusters:
    """Cluster the weights whose magnitude is above a threshold (0: those that are not zero).

    Parameters
    ----------
    weight : ndarray of float32, contiguous
    threshold : float
        0 or more.
    bits : int
        There are at most ``2**bits`` clusters.
    how : Clustering

    Raises
    ------
    ConversionError
        A weight that is not finite.
    """
    if not all(np.isfinite(piece).all() for (piece,) in flat_pieces(weight)):
        raise ConversionError("cannot share weights that are not finite", hint="the checkpoint holds NaN or infinity")
    count = sum(np.count_nonzero(np.abs(piece) > threshold) for (piece,) in flat_pieces(weight))
    above = np.empty(count, dtype=np.float32)
    filled = 0
    for (piece,) in flat_pieces(weight):
        values = piece[np.abs(piece) > threshold]
        above[filled : filled + len(values)] = values
        filled += len(values)
    above.sort()
    return find_clusters(above, 1 << bits, how)


@dataclass(frozen=True)
class BitsRule:
    """Bits of the shared weights, layer by layer.

    Attributes
    ----------
    default : int or None
        Bits of layers without a key; None leaves them unshared.
    by_key : dict of str to int
        A layer's name, or a kind: "conv" (weights with more than two axes) or "fc" (two axes).
    """

    default: int | None = None
    by_key: dict[str, int] = field(default_factory=dict)

    def bits(self, layer: str, axes: int) -> int | None:
        """Bits of a layer: by its name, else its kind, else the default.

        Parameters
        ----------
        layer : str
            Name of the layer, or of its weight (``conv1`` or ``conv1.weight``).
        axes : int
            Number of axes of its weight.
        """
        name = layer.removesuffix(".weight")
        kind = "conv" if axes > 2 else "fc"
        return self.by_key.get(name, self.by_key.get(kind, self.default))

    def unknown(self, layers: list[str]) -> list[str]:
        """Keys that name neither a kind nor one of these layers."""
        known = {"conv", "fc", *(layer.removesuffix(".weight") for layer in layers)}
        return [key for key in self.by_key if key not in known]


def parse_bits(text: str) -> BitsRule:
    """Read bits per layer as the command line and recipes spell them.

    Parameters
    ----------
    text : str
        ``4`` for every layer, or ``key=bits`` with commas between: ``conv=8,fc=5``, ``5,features.0=8``.

    Raises
    ------
    ConversionError
        Any other text, bits outside 1..8, or a key given twice.

    Examples
    --------
    >>> parse_bits("conv=8,fc=5").bits("fc6", axes=2)
    5
    """
    default: int | None = None
    by_key: dict[str, int] = {}
    for item in text.split(","):
        key, equals, number = (part.strip() for part in item.rpartition("="))
        if not number.isdecimal() or not 1 <= int(number) <= MAX_BITS or bool(equals) != bool(key):
            expected = f"1 to {MAX_BITS} bits, as in 4 or conv=8,fc=5"
            raise ConversionError("cannot read the bits", expected=expected, found=repr(text))
        if key in by_key or (not key and default is not None):
            raise ConversionError("bits given twice", where=key or "default", found=repr(text))
        if key:
            by_key[key] = int(number)
        else:
            default = int(number)
    return BitsRule(default, by_key)
