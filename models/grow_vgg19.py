"""A dense VGG-19 for CIFAR-10 grown from a trained VGG16-half, for machines on which it cannot learn from scratch.

    python models/grow_vgg19.py vgg16_half.pt CIFAR10_FOLDER vgg19.pt

Net2Net (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641): every layer is widened and three are put in between so
that the large network computes about what the small one does, and learns on from there at its full width. New channels
keep their random initialisation; old ones hardly read them at first. New layers start as the identity. In the
classifier, where dropout takes half of the units, each unit of the small network stands sixteen times.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.training.checkpoints import load_checkpoint
from dcz.converters.training.data.batches import ordered_batches
from dcz.converters.training.data.datasets import load_dataset
from dcz.converters.training.folding import fold_normalisation

ADDED = (7, 11, 15)  # the convolutions that VGG-19 has and VGG-16 has not
FAINT = 0.02  # of the old weights' deviation: how old channels read new ones
PICTURES = 1000  # that new statistics are taken of


def widen(small: Tensor, large: Tensor) -> None:
    """Put the small layer into the leading corner of the large one; its rows read the other columns faintly."""
    rows, columns = small.shape[:2]
    large[:rows].normal_(0, FAINT * float(small.std()))
    large[:rows, :columns] = small


def repeat(small: Tensor, large: Tensor, inputs: int) -> None:
    """Let every unit stand as often as it fits, reading inputs of which each stands `inputs` times."""
    copies = large.shape[0] // small.shape[0]
    wide = small.repeat(copies, inputs) / inputs
    noise = 1 + FAINT * torch.randn(wide.shape)
    large[:, wide.shape[1] :].normal_(0, FAINT * float(wide.std()))
    large[:, : wide.shape[1]] = wide * noise


@torch.no_grad()
def grow(small: nn.Module, images: Tensor) -> nn.Module:
    """Make a VGG-19 that computes about what a VGG16-half does.

    Parameters
    ----------
    small : nn.Module
    images : Tensor, shape (N, 3, 32, 32)
        For the statistics of batch norm.
    """
    large = ARCHITECTURES["vgg19_bn_cifar"].factory().eval()
    olds, x = iter(blocks(small.features)), images
    layers = list(large.features)
    convs = [module for module in layers if isinstance(module, nn.Conv2d)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            old = None if convs.index(layer) in ADDED else next(olds)
            if old is None:
                nn.init.dirac_(layer.weight)
            else:
                widen(old[0].weight, layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.running_var, layer.running_mean = torch.var_mean(x, (0, 2, 3))
            if old is None:  # what comes in goes out again
                layer.weight.copy_((layer.running_var + layer.eps).sqrt())
                layer.bias.copy_(layer.running_mean)
            else:
                layer.weight.fill_(float(old[1].weight.mean()))
                for own, known in zip(vectors(layer), vectors(old[1]), strict=True):
                    own[: len(known)] = known
        x = layer(x)
    classify(small.classifier, large.classifier)
    return large


def vectors(norm: nn.Module) -> list[Tensor]:
    """What a batch norm keeps for each channel."""
    return [norm.weight, norm.bias, norm.running_mean, norm.running_var]


def blocks(layers: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """The pairs of a convolution or linear layer and its batch norm."""
    modules = list(layers.children())
    return [(a, b) for a, b in itertools.pairwise(modules) if isinstance(b, nn.BatchNorm2d | nn.BatchNorm1d)]


def classify(small: nn.Module, large: nn.Module) -> None:
    """Fill the classifier, which has biases instead of batch norm."""
    fold_normalisation(small)
    inputs = 1
    for (old, norm), new in zip(blocks(small), (large[0], large[3]), strict=True):
        repeat(old.weight * norm.weight[:, None], new.weight, inputs)
        inputs = len(new.weight) // len(old.weight)
        new.bias.copy_(norm.bias.repeat(inputs))
    repeat(small[6].weight, large[6].weight, inputs)
    large[6].bias.zero_()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="a trained VGG16-half")
    parser.add_argument("data", type=Path, help="folder of CIFAR-10")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    small = ARCHITECTURES["vgg16_half"].factory().eval()
    load_checkpoint(small, "vgg16_half", args.checkpoint)
    preprocess = ARCHITECTURES["vgg16_half"].preprocess
    assert preprocess is not None
    data = load_dataset(args.data, preprocess)
    images, _ = next(ordered_batches(data.train, preprocess, PICTURES))
    large = grow(small, images)
    torch.save(large.state_dict(), args.out)


if __name__ == "__main__":
    main()
