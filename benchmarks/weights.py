"""Seeded weights for the networks of the Deep Compression paper, pruned and shared at its densities and bits.

The trained networks were not published, and coders and kernels depend on statistics only: a Gaussian, scaled per
output row and per input column by log-normal factors (trained layers have strong and weak channels, so their zeros
cluster), pruned by magnitude to the layer's density, then shared by k-means. No accuracy follows from such weights;
sizes and times do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]

SIGMA = 0.3
"""Standard deviation of the logarithm of a row's or a column's factor."""
SEED = 20151001
LLOYD_STEPS = 50


@dataclass(frozen=True)
class Network:
    """A reference network, and the compression of each of its weight tensors.

    Attributes
    ----------
    title : str
        Name in tables.
    arch : str
        Name in `dcz.converters.architectures.ARCHITECTURES`.
    layers : tuple of (float, int)
        Density and bits of a weight, a tensor of weights each, in the order of the state dict.
    paper_gap_bits : int
        Width of the paper's relative index.
    """

    title: str
    arch: str
    layers: tuple[tuple[float, int], ...]
    paper_gap_bits: int


def _layers(bits: int, *percents: int) -> tuple[tuple[float, int], ...]:
    return tuple((percent / 100, bits) for percent in percents)


# Densities and bits from tables 2 to 5 of Han, Mao, Dally, "Deep Compression" (arXiv 1510.00149); AlexNet's are laid on
# the network as torchvision has it. ResNet-20 and VGG16-half are at densities that course reports reached, VGG-19 at
# that of our own, SqueezeNet at those of the file that S. Han published.
NETWORKS: dict[str, Network] = {
    "lenet-300-100": Network("LeNet-300-100", "lenet_300_100", _layers(6, 8, 9, 26), 5),
    "lenet-5": Network("LeNet-5", "lenet5_caffe", _layers(8, 66, 12) + _layers(5, 8, 19), 5),
    "resnet-20": Network("ResNet-20", "resnet20_cifar", _layers(4, *(40,) * 20), 4),
    "vgg16-half": Network("VGG16-half", "vgg16_half", _layers(5, *(13,) * 16), 5),
    "squeezenet": Network(
        "SqueezeNet",
        "squeezenet1_0",
        _layers(8, 99, 99, 100, 33, 100, 100, 33, 100, 99, 33, 100, 99, 33, 99, 50, 33)
        + _layers(8, 50, 99, 33, 99, 50, 30, 50, 100, 30, 20),
        4,
    ),
    "alexnet": Network("AlexNet", "alexnet", _layers(8, 84, 38, 35, 37, 37) + _layers(5, 9, 9, 25), 4),
    "vgg-16": Network(
        "VGG-16", "vgg16", _layers(8, 58, 22, 34, 36, 53, 24, 42, 32, 27, 34, 35, 29, 36) + _layers(5, 4, 4, 23), 5
    ),
    "vgg-19": Network("VGG-19 for CIFAR-10", "vgg19_bn_cifar", _layers(5, *(3,) * 19), 5),
}


def state_dict(network: Network, seed: int = SEED) -> dict[str, NDArray[Any]]:
    """All tensors of a network under the names of its architecture, pruned and shared; the others at random.

    The same seed gives the same bits, and a tensor does not depend on those before it.

    Parameters
    ----------
    network : Network
    seed : int

    Returns
    -------
    dict of str to ndarray
        float32, and int64 for ``num_batches_tracked``.
    """
    layers = iter(network.layers)
    tensors: dict[str, NDArray[Any]] = {}
    all_shapes = shapes(network.arch)
    for name, shape in all_shapes.items():
        rng = np.random.default_rng([seed, crc32(name.encode())])
        if len(shape) >= 2:
            density, bits = next(layers)
            tensors[name] = share(prune(gaussian(shape, rng), density), 1 << bits)
        elif name.endswith("num_batches_tracked"):
            tensors[name] = np.array(0, dtype=np.int64)
        elif name.endswith("running_var") or name.replace(".weight", ".running_var") in all_shapes:
            tensors[name] = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        else:
            tensors[name] = rng.normal(0, 0.1, shape).astype(np.float32)
    if next(layers, None):
        raise ValueError(f"{network.title}: {len(network.layers)} layers in the table, fewer in {network.arch}")
    return tensors


def shapes(arch: str) -> Mapping[str, tuple[int, ...]]:
    """Shapes of a reference architecture's tensors by name; takes no memory for the weights."""
    import torch

    from dcz.converters.architectures import ARCHITECTURES

    with torch.device("meta"):
        module = ARCHITECTURES[arch].factory()
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> Weights:
    """Gaussian weights of shape (rows, columns, ...), each row and each column scaled by a log-normal factor."""
    rows, columns = shape[:2]
    weights = rng.standard_normal((rows, columns, prod(shape[2:])), dtype=np.float32)
    weights *= np.exp(SIGMA * rng.standard_normal((rows, 1, 1), dtype=np.float32))
    weights *= np.exp(SIGMA * rng.standard_normal((columns, 1), dtype=np.float32))
    weights *= np.float32(np.sqrt(2 / prod(shape[1:])))  # He et al. 2015: the variance of activations stays
    return weights.reshape(shape)


def prune(weights: Weights, density: float) -> Weights:
    """Set all but the largest weights to zero, in place; `density` is the share that stays."""
    drop = weights.size - round(weights.size * density)
    magnitude = np.abs(weights).ravel()
    magnitude.partition(drop)
    weights[np.abs(weights) < magnitude[drop]] = 0
    return weights


def share(weights: Weights, clusters: int) -> Weights:
    """Replace the non-zero weights by the nearest of `clusters` centroids, in place.

    Lloyd's k-means in one dimension: on sorted values a cluster is a range, so one step is a binary search for the
    borders and a difference of running sums. Starts from centroids spread linearly, which the paper found best, over
    the negative and over the positive values: between them pruning has left a hole.
    """
    stored = weights[weights != 0]
    values = np.sort(stored).astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    sides = (values[values < 0], values[values > 0])
    parts = (round(min(clusters, len(values)) * len(side) / len(values)) for side in sides)
    centroids = np.concatenate([np.linspace(*side[[0, -1]], n) for side, n in zip(sides, parts, strict=True) if n])
    for _ in range(LLOYD_STEPS):
        edges = np.concatenate(([0], np.searchsorted(values, (centroids[1:] + centroids[:-1]) / 2), [len(values)]))
        counts = np.diff(edges)
        moved = np.where(counts > 0, np.diff(sums[edges]) / np.maximum(counts, 1), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    codebook = centroids.astype(np.float32)
    codebook[codebook == 0] = np.finfo(np.float32).tiny  # a stored weight is never zero
    weights[weights != 0] = codebook[np.searchsorted((codebook[1:] + codebook[:-1]) / 2, stored)]
    return weights
