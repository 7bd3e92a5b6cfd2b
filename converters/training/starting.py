"""A start from which plain convolutional networks learn fast (Jordan 2024, arXiv 2404.00498, sections 3.1 and 3.2)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ...core.errors import ConversionError
from ...dcformat.preprocess import Preprocess
from .data.batches import normalise
from .data.datasets import Split

PICTURES = 500
SHRINK = 0.05  # added to the variances, so that noise components are not amplified


@torch.no_grad()
def start_whitened(model: nn.Module, split: Split, preprocess: Preprocess) -> None:
    """Initialise the first convolution to whiten its patches, and the others to pass their input on, in place.

    The first kernels become the principal components of the training pictures' patches, over the root of their
    variance, each with both signs, since a ReLU follows; the largest come first where there are fewer kernels. In
    every other convolution the first kernels, one a channel of the input, become Dirac impulses; the rest stay as
    they are.

    Parameters
    ----------
    model : nn.Module
        A chain of convolutions, with ReLU between them.
    split : Split
        Images for the principal components.
    preprocess : Preprocess

    Raises
    ------
    ConversionError
        The network has no convolution.
    """
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    if not convs:
        raise ConversionError("nothing to start from", expected="a network with convolutions", found="none")
    first, *others = (conv.weight for conv in convs)
    patches = F.unfold(normalise(split.images[:PICTURES], preprocess), first.shape[2:])
    patches = patches.transpose(1, 2).flatten(0, 1)
    variances, components = torch.linalg.eigh(torch.cov(patches.T))
    kernels = (components / (variances + SHRINK).sqrt()).T.flip(0)
    kernels = kernels[: first.shape[0] // 2].reshape(-1, *first.shape[1:])
    first[: len(kernels)] = kernels
    first[len(kernels) : 2 * len(kernels)] = -kernels
    for weight in others:
        nn.init.dirac_(weight[: weight.shape[1]])
