"""Export: the dense weights of a container, back under the names and element types that they came in with."""

from __future__ import annotations

import os
from pathlib import Path

from ..dcformat import ConversionError, open
from ..dcformat.output import check_output, replacing
from .safetensors_file import write_safetensors
from .torch_file import write_torch


def export(container: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Write a container's tensors as a state dict, one by one: large ones are never in memory as a whole.

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
    write = write_safetensors if suffix == ".safetensors" else write_torch
    with open(container) as opened, replacing(path) as file:
        write(file, opened.entries, opened.pieces)
