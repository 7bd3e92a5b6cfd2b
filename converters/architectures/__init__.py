"""The networks that dcz knows by name (``--arch NAME``), with their input shape, preprocessing and labels.

To add one: a module in the file of its family, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from ...dcformat.preprocess import Preprocess
from .alexnet import AlexNet
from .lenet import LeNet5Caffe, LeNet300100
from .resnet_cifar import ResNetCifar
from .squeezenet import squeezenet1_0, squeezenet1_1
from .vgg import vgg16, vgg16_half, vgg19_bn_cifar

__all__ = ["ARCHITECTURES", "CIFAR10", "IMAGENET", "MNIST", "Architecture"]

MNIST = Preprocess(mode="L", resize=(28, 28), mean=(0.1307,), std=(0.3081,))
CIFAR10 = Preprocess(resize=(32, 32), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Preprocessing of the public CIFAR ResNets: they were trained with ImageNet's mean and deviation."""
IMAGENET = Preprocess(resize=256, crop=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

DIGITS = tuple("0123456789")
CIFAR10_LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Architecture:
    """A network by name.

    Attributes
    ----------
    name : str
        Value of ``--arch``.
    factory : callable
        Makes the network with new weights; cheap under ``torch.device("meta")``.
    input_shape : tuple of int
        (C, H, W).
    preprocess : Preprocess or None
        Preprocessing of images.
    labels : tuple of str or None
        Names of the classes in order.
    """

    name: str
    factory: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None


_MNIST_NETS: dict[str, Callable[[], nn.Module]] = {"lenet_300_100": LeNet300100, "lenet5_caffe": LeNet5Caffe}
_CIFAR_NETS: dict[str, Callable[[], nn.Module]] = {
    "resnet20_cifar": partial(ResNetCifar, 3),
    "resnet32_cifar": partial(ResNetCifar, 5),
    "resnet44_cifar": partial(ResNetCifar, 7),
    "resnet56_cifar": partial(ResNetCifar, 9),
    "resnet110_cifar": partial(ResNetCifar, 18),
    "vgg16_half": vgg16_half,
    "vgg19_bn_cifar": vgg19_bn_cifar,
}
_IMAGENET_NETS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": AlexNet,
    "vgg16": vgg16,
    "squeezenet1_0": squeezenet1_0,
    "squeezenet1_1": squeezenet1_1,
}

ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        *(Architecture(name, factory, (1, 28, 28), MNIST, DIGITS) for name, factory in _MNIST_NETS.items()),
        *(Architecture(name, factory, (3, 32, 32), CIFAR10, CIFAR10_LABELS) for name, factory in _CIFAR_NETS.items()),
        *(Architecture(name, factory, (3, 224, 224), IMAGENET) for name, factory in _IMAGENET_NETS.items()),
    )
}
"""Every known network by name."""
