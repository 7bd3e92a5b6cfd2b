"""A checkpoint to train on with, out of a container whose batch norms were folded.

    python models/unfold.py resnet20.dcz resnet20_cifar CIFAR10_FOLDER resnet20.pt

A folded batch norm is one scale and one shift a channel, and cannot train on the statistics of batches. Here each gets
the mean and the variance of its inputs over pictures of the training set, and a weight and a bias with which it
computes what it did before.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.export import export
from dcz.converters.training.checkpoints import load_checkpoint
from dcz.converters.training.data.batches import ordered_batches
from dcz.converters.training.data.datasets import load_dataset
from dcz.converters.training.folding import NORMS

PICTURES = 5000  # that the statistics are taken of


@torch.no_grad()
def unfold_normalisation(model: nn.Module, images: Tensor) -> None:
    """Give each batch norm the statistics of its inputs; the network computes the same, up to rounding.

    Parameters
    ----------
    model : nn.Module
    images : Tensor, shape (N, C, H, W)
    """

    def unfold(norm: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, NORMS)
        axes = [axis for axis in range(arguments[0].dim()) if axis != 1]
        variance, mean = torch.var_mean(arguments[0], axes)
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        norm.running_mean, norm.running_var = mean, variance
        norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
        norm.bias.copy_(shift + scale * mean)

    handles = [module.register_forward_pre_hook(unfold) for module in model.modules() if isinstance(module, NORMS)]
    model.eval()(images)
    for handle in handles:
        handle.remove()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("container", type=Path)
    parser.add_argument("arch", choices=sorted(ARCHITECTURES))
    parser.add_argument("data", type=Path, help="folder of the data set")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    architecture = ARCHITECTURES[args.arch]
    model = architecture.factory()
    with tempfile.TemporaryDirectory() as folder:
        export(args.container, weights := Path(folder, "weights.safetensors"))
        load_checkpoint(model, architecture, weights)
    assert architecture.preprocess is not None
    _, sample = load_dataset(args.data, architecture.preprocess).hold_out(PICTURES, seed=1)  # the files go by class
    images, _ = next(ordered_batches(sample, architecture.preprocess, PICTURES))
    unfold_normalisation(model, images)
    torch.save(model.state_dict(), args.out)


if __name__ == "__main__":
    main()
