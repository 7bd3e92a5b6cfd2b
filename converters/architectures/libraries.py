"""The networks of torchvision and timm by name, with the preprocessing and the labels of their published weights.

Both libraries are optional: they are imported when ``--arch torchvision:resnet50`` or ``timm:efficientnet_b0`` names
one of their networks, or when a file without ``--arch`` bears the name of one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from torch import nn

from ...dcformat import ConversionError, Preprocess
from . import Architecture

CANDIDATES = 8
"""Most networks that are tried for a file by its name."""
_INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos", "box")


def library_architecture(arch: str) -> Architecture:
    """A network of a library.

    Parameters
    ----------
    arch : str
        ``LIBRARY:NAME``, the library one of `LIBRARIES`.

    Raises
    ------
    ConversionError
        The library is not installed, or has no such network.
    """
    library, _, name = arch.partition(":")
    try:
        return LIBRARIES[library](name)
    except ImportError as error:
        hint = f"install it: pip install {library}"
        raise ConversionError(f"--arch {arch} needs {library}, which cannot be imported: {error}", hint=hint) from None


def named_in(stem: str) -> Iterator[Architecture]:
    """The networks of the installed libraries whose names stand in a file's name, longest name first.

    Parameters
    ----------
    stem : str
        The file's name without its ending, as ``resnet50-0676ba61``.
    """
    if not stem:
        return
    words = f"_{re.sub(r'[^a-z0-9]+', '_', stem.lower())}_"
    found = [
        (name, library)
        for library in LIBRARIES
        if find_spec(library) is not None
        for name in _names(library)
        if f"_{name.lower()}_" in words
    ]
    for name, library in sorted(found, key=lambda pair: -len(pair[0]))[:CANDIDATES]:
        architecture = LIBRARIES[library](name)
        if architecture.input_shape:
            yield architecture


def _names(library: str) -> list[str]:
    module = import_module("torchvision.models" if library == "torchvision" else library)
    names: list[str] = module.list_models()
    return names


def _torchvision(name: str) -> Architecture:
    models = import_module("torchvision.models")
    if name not in models.list_models():
        raise _unknown("torchvision", name, "torchvision.models.list_models()")
    weights = models.get_model_weights(name).DEFAULT
    factory = partial(models.get_model, name, weights=None)
    transforms = weights.transforms()
    if type(transforms).__name__ != "ImageClassification":  # it is of detection, segmentation or video
        return Architecture(f"torchvision:{name}", factory, ())
    side = int(transforms.crop_size[0])
    steps = _preprocess(
        int(transforms.resize_size[0]), side, transforms.interpolation.value, transforms.mean, transforms.std
    )
    return Architecture(f"torchvision:{name}", factory, (3, side, side), steps, tuple(weights.meta["categories"]))


def _timm(name: str) -> Architecture:
    timm, data = import_module("timm"), import_module("timm.data")
    if not timm.is_model(name):
        raise _unknown("timm", name, "timm.list_models()")
    config = timm.get_pretrained_cfg(name).to_dict()
    size = tuple(int(n) for n in config["input_size"])
    resize = math.floor(size[-1] / config["crop_pct"])
    steps = _preprocess(resize, size[-1], config["interpolation"], config["mean"], config["std"])
    labels = None
    if config["num_classes"] == 1000:
        names = data.ImageNetInfo("imagenet-1k")
        labels = tuple(names.index_to_description(index) for index in range(1000))
    factory: Callable[[], nn.Module] = partial(timm.create_model, name, pretrained=False)
    square = config.get("crop_mode", "center") == "center" and size[-1] == size[-2]
    return Architecture(f"timm:{name}", factory, size, steps if square else None, labels)


def _preprocess(resize: int, crop: int, interpolation: str, mean: Any, std: Any) -> Preprocess | None:
    if interpolation not in _INTERPOLATIONS:
        return None
    means, deviations = tuple(map(float, mean)), tuple(map(float, std))
    return Preprocess(resize=resize, crop=(crop, crop), interpolation=interpolation, mean=means, std=deviations)


def _unknown(library: str, name: str, where: str) -> ConversionError:
    return ConversionError(f"{library} has no network {name!r}", hint=f"its networks: {where}")


LIBRARIES: dict[str, Callable[[str], Architecture]] = {"torchvision": _torchvision, "timm": _timm}
"""How an architecture is made, by the library before the colon."""
