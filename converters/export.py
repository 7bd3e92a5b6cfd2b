"""Export: the dense weights of a container, back under the names and element types that they came in with."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save

from ..core.output import check_output, replacing
from ..dcformat import Container, ConversionError, Dense, open
from .arrays import to_torch


def state_dict(container: Container) -> dict[str, torch.Tensor]:
    """Every tensor of a container, dense, in stored order.

    Raises
    ------
    FormatError
        The container is damaged.
    """
    return {name: to_torch(Dense(container.tensor(name), entry.dtype)) for name, entry in container.entries.items()}


def export(container: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Write a container's tensors as a state dict.

    Parameters
    ----------
    container : path
        The container.
    out : path
        ``.safetensors``, or ``.pt`` / ``.pth`` for ``torch.load(..., weights_only=True)``. Overwritten when the new
        file is whole.

    Raises
    ------
    ConversionError
        Another ending.
    InputError
        `out` is the container itself.
    FormatError
        The container is damaged.
    OSError
        A file cannot be read or written.
    """
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix not in (".safetensors", ".pt", ".pth"):
        expected = ".safetensors, .pt or .pth"
        raise ConversionError("unknown kind of file to export to", path=path, expected=expected, found=suffix)
    check_output(path, container)
    with open(container) as opened:
        tensors = state_dict(opened)
    with replacing(path) as file:
        if suffix == ".safetensors":
            file.write(save(tensors))
        else:
            torch.save(tensors, file)
