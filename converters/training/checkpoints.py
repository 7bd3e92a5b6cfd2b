"""Checkpoints of a run: initial weights and teachers."""

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


def load_checkpoint(model: nn.Module, architecture: Architecture, path: str | os.PathLike[str]) -> None:
    """Load weights (``.pt``, ``.pth``, ``.th``, ``.safetensors``) that fit an architecture into its network.

    Raises
    ------
    ConversionError
        The file is no checkpoint, or its keys or shapes belong to another network.
    OSError
        The file cannot be read.
    """
    try:
        state, match = load_state(Path(path), Source({}), architecture.name, architecture.input_shape)
    except ConversionError as error:
        raise error.at(path) from None
    assert match is not None  # with an architecture given there is a match, or an error before
    model.load_state_dict(match.own(state))


def load_network(path: str | os.PathLike[str], pupil: Architecture) -> nn.Module:
    """Load a teacher: a network of any known architecture, found by the checkpoint's keys and shapes.

    Raises
    ------
    ConversionError
        The file is no checkpoint, no known architecture fits, or its inputs or classes differ from the student's.
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
    """Write a ``.pt`` file, and its folder if missing. An interrupted write leaves the old file intact."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        torch.save(state, file)


def load_saved(model: nn.Module, path: Path) -> None:
    """Load a network's own state dict, as `save` wrote it."""
    model.load_state_dict(torch.load(path, weights_only=True))


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """Digest of the weights of a network: the SHA-256 of names and bytes, in hexadecimal."""
    total = hashlib.sha256()
    for name, value in state.items():
        total.update(name.encode())
        total.update(value.detach().contiguous().numpy().tobytes())
    return total.hexdigest()
