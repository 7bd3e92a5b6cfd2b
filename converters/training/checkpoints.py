"""Checkpoints that a run starts from or learns from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...core.errors import ConversionError
from ...core.output import replacing
from ..architectures import Architecture
from ..frontends.source import Source
from ..frontends.state_dicts.state_dict import load_state


def load_checkpoint(model: nn.Module, arch: str, path: str | os.PathLike[str]) -> None:
    """Load dense weights (``.pt``, ``.pth``, ``.th``, ``.safetensors``) that fit a known architecture.

    Raises
    ------
    ConversionError
        Not a checkpoint, or its keys or shapes are another network's.
    OSError
        The file cannot be read.
    """
    try:
        state, match = load_state(Path(path), Source({}), arch)
    except ConversionError as error:
        raise error.at(path) from None
    assert match is not None  # a checkpoint fits the architecture of that name, or there was an error
    model.load_state_dict(match.own(state))


def load_network(path: str | os.PathLike[str], pupil: Architecture) -> nn.Module:
    """Load a network of whatever known architecture the checkpoint's keys and shapes tell, to teach another.

    Raises
    ------
    ConversionError
        Not a checkpoint, no known architecture fits, or its inputs or classes are not the pupil's.
    OSError
        The file cannot be read.
    """
    try:
        state, match = load_state(Path(path), Source({}))
        if match is None:
            raise ConversionError("the teacher is of no known architecture")
        own, wanted = match.architecture, pupil
        if (own.input_shape, own.preprocess, own.labels) != (wanted.input_shape, wanted.preprocess, wanted.labels):
            what = "the teacher takes other pictures or has other classes"
            raise ConversionError(what, expected=f"those of {pupil.name}", found=own.name)
    except ConversionError as error:
        raise error.at(path) from None
    model = match.architecture.factory()
    model.load_state_dict(match.own(state))
    return model.eval()


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a ``.pt`` file, in a new folder if need be; whoever stops it in the middle leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        torch.save(state, file)


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """Tell whether two networks have the same weights: the SHA-256 of their names and bytes, in hexadecimal."""
    total = hashlib.sha256()
    for name, value in state.items():
        total.update(name.encode())
        total.update(value.detach().contiguous().numpy().tobytes())
    return total.hexdigest()
