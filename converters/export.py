"""Export: the dense weights of a container, back under the names and element types that they came in with.

A tensor with several names (tied weights) is one tensor again. ``.pt`` files store it once under all of them. Files of
safetensors cannot, so it stands there under its first name, and the metadata give it for each of the others, as
``safetensors.torch.save_model`` does.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from safetensors.torch import save

from ..dcformat import Container, ConversionError, Dense, open
from ..dcformat.output import check_output, replacing
from .arrays import to_torch
from .source import listed

log = logging.getLogger("dcz.export")


def state_dict(container: Container) -> dict[str, torch.Tensor]:
    """Every tensor of a container, dense, in stored order; then those names that share a tensor (`Container.tied`).

    Raises
    ------
    FormatError
        The container is damaged.
    """
    state = {name: to_torch(Dense(container.tensor(name), entry.dtype)) for name, entry in container.entries.items()}
    return state | {name: state[stored] for name, stored in container.tied.items()}


def export(container: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Write a container's tensors as a state dict.

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
        tensors, tied, metadata = state_dict(opened), opened.tied, {"format": "pt", **opened.metadata}
    with replacing(path) as file:
        if suffix == ".safetensors":
            file.write(save({name: tensors[name] for name in tensors if name not in tied}, {**tied, **metadata}))
        else:
            torch.save(tensors, file)
    if tied and suffix == ".safetensors":
        log.info(f"stored under their first names alone, as safetensors' load_model expects: {listed(tied)}")
