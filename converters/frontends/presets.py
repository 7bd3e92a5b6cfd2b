"""Preprocessing and labels: look-up by name or file, and checks against the network."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from math import prod
from pathlib import Path

from ...dcformat import ConversionError, FormatError, Preprocess, Shape
from ..architectures import CIFAR10, CIFAR10_LABELS, DIGITS, IMAGENET, MNIST

PREPROCESS: dict[str, Preprocess] = {"imagenet": IMAGENET, "cifar10": CIFAR10, "mnist": MNIST}
LABELS = ("imagenet", "cifar10", "mnist")


def resolve_preprocess(given: Preprocess | str | os.PathLike[str]) -> Preprocess:
    """Look up ``--preprocess``: a name in `PREPROCESS`, or a JSON file with the fields of `Preprocess`.

    Raises
    ------
    ConversionError
        It is neither, or the file lacks the fields.
    """
    if isinstance(given, Preprocess):
        return given
    if str(given) in PREPROCESS:
        return PREPROCESS[str(given)]
    data = _read_json(given, f"unknown preprocessing {str(given)!r}", f"a JSON file or one of {', '.join(PREPROCESS)}")
    if not isinstance(data, dict):
        raise ConversionError("preprocessing must be a JSON object", path=given, found=type(data).__name__)
    try:
        return Preprocess.from_json(data)
    except FormatError as error:
        raise ConversionError(str(error), path=given) from None


def labels_preset(name: str) -> list[str]:
    """Class names of a data set in `LABELS`, in the order of its class numbers."""
    if name == "imagenet":
        text = files(__package__).joinpath("data/imagenet.json").read_text(encoding="utf-8")
        return list(json.loads(text))
    return list(CIFAR10_LABELS if name == "cifar10" else DIGITS)


def resolve_labels(given: Sequence[str] | str | os.PathLike[str]) -> list[str]:
    """Look up ``--labels``: a name in `LABELS`, ``none``, a file (JSON list, or a label a line), or the labels.

    Raises
    ------
    ConversionError
        There is no such name or file, or the file holds no labels.
    """
    if not isinstance(given, (str, os.PathLike)):
        return list(given)
    if given in LABELS:
        return labels_preset(str(given))
    if given == "none":
        return []
    path = Path(given)
    expected = f"a file, none, or one of {', '.join(LABELS)}"
    if path.suffix == ".json":
        labels = _read_json(path, f"unknown labels {str(given)!r}", expected)
    else:
        # Not splitlines: a label may hold a Unicode line separator such as U+2028.
        lines = _read_text(path, f"unknown labels {str(given)!r}", expected).split("\n")
        labels = [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ConversionError("labels must be a list of texts", path=path)
    return labels


def check_labels(labels: Sequence[str], output: Shape) -> None:
    """Raise ConversionError unless there is one label for each class of the network's output."""
    if len(labels) != output[0]:
        raise ConversionError(
            "the labels do not fit the network's classes",
            expected=output[0],
            found=len(labels),
            hint="--labels takes a file with a name for each class, or none",
        )


def fit_preprocess(preprocess: Preprocess, input_shape: Shape) -> Preprocess:
    """Scale an architecture's resize and crop to an input shape other than its own.

    Parameters
    ----------
    preprocess : Preprocess
        It has a crop, or a resize to (height, width).
    input_shape : tuple of int
        (C, H, W), or (features,) for a flat image of the architecture's own size.
    """
    if len(input_shape) == 1:
        return preprocess
    size = (input_shape[-2], input_shape[-1])
    if preprocess.crop is None:
        return replace(preprocess, resize=size)
    resize = preprocess.resize
    if isinstance(resize, int):
        resize = max(round(resize * size[i] / preprocess.crop[i]) for i in range(2))
    return replace(preprocess, resize=resize, crop=size)


def check_preprocess(preprocess: Preprocess, input_shape: Shape) -> None:
    """Raise ConversionError unless the images that `preprocess` makes fit the network's input.

    They are (C, H, W), and fill an input of (features,) in that order. A size that only the images know passes.
    """
    size = preprocess.crop or (preprocess.resize if isinstance(preprocess.resize, tuple) else None)
    channels = len(preprocess.mean)
    if len(input_shape) == 1:
        made = (channels, *(size or (input_shape[0] // channels,)))
        fits = prod(made) == input_shape[0]
    else:
        made = (channels, *(size or input_shape[1:]))
        fits = made == input_shape
    if not fits:
        raise ConversionError(
            "the preprocessing does not make the network's input",
            expected=list(input_shape),
            found=list(made),
            hint="name another with --preprocess",
        )


def _read_text(path: str | os.PathLike[str], what: str, expected: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")  # read_text would turn a lone CR into a line end
    except (FileNotFoundError, IsADirectoryError):
        raise ConversionError(what, expected=expected) from None
    except UnicodeDecodeError:
        raise ConversionError("not a text file in UTF-8", path=path) from None


def _read_json(path: str | os.PathLike[str], what: str, expected: str) -> object:
    text = _read_text(path, what, expected)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConversionError(f"not a JSON file: {error}", path=path) from None
