"""``dcz.export``: the dense weights of a container, under their original names and element types.

A tensor with several names (tied weights) is stored once. A ``.pt`` file has it under all its names. A safetensors file
cannot do that: it has the tensor under its first name, and its metadata map the other names to it, as
``safetensors.torch.save_model`` writes them.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ..core.errors import quoted
from ..core.output import check_output, replacing
from ..dcformat import ConversionError, open
from .safetensors_file import write_safetensors
from .torch_file import write_torch

log = logging.getLogger("dcz.export")


def export(container: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Write a container's tensors as a state dict, one by one; large ones in pieces, never whole in memory.

    Parameters
    ----------
    container : path
        The container.
    out : path
        ``.safetensors``, or ``.pt`` / ``.pth`` for ``torch.load(..., weights_only=True)``. Overwritten when the new
        file is whole. Metadata of the container go into ``.safetensors``.

    Raises
    ------
    ConversionError
        `out` has another ending.
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
    with open(container) as opened, replacing(path) as file:
        tied = opened.tied
        if suffix == ".safetensors":
            write_safetensors(file, opened.entries, opened.pieces, {**tied, "format": "pt", **opened.metadata})
        else:
            write_torch(file, opened.entries, opened.pieces, tied)
    if tied and suffix == ".safetensors":
        log.info(f"stored under their first names alone, as safetensors' load_model expects: {quoted(tied)}")
