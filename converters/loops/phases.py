"""Pruning, and sharing after it, as one object for callbacks of training libraries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...core.errors import ConversionError
from ..training.checkpoints import save
from .pruner import Pruner
from .sharer import Sharer


class Phases:
    """Prunes a network from the start of a training and shares its weights from a certain epoch on.

    Parameters
    ----------
    pruner : Pruner, optional
    sharer : Sharer, optional
    share_epoch : int
        Epoch, counted from 0, before which the sharer is attached; the zeros then stay as they are.

    Raises
    ------
    ConversionError
        There is neither a pruner nor a sharer, or the epoch is negative.
    """

    def __init__(self, pruner: Pruner | None, sharer: Sharer | None, share_epoch: int) -> None:
        if pruner is None and sharer is None:
            raise ConversionError("nothing to do", expected="a pruner, a sharer or both")
        if share_epoch < 0:
            raise ConversionError("share_epoch out of range", expected="0 or more", found=share_epoch)
        self._pruner, self._sharer, self._share_epoch = pruner, sharer, share_epoch
        self._sharing = False
        self._model: nn.Module | None = None

    def attach(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Begin, or go on after `load_state_dict`."""
        self._model = model
        if self._sharing and self._sharer is not None:
            self._sharer.attach(model)
        elif self._pruner is not None:
            self._pruner.attach(model, optimizer)

    def begin_epoch(self, epoch: int) -> None:
        """Attach the sharer where its epoch has come."""
        if self._sharer is not None and not self._sharing and epoch >= self._share_epoch and self._model is not None:
            self._sharing = True
            if self._pruner is not None:
                self._pruner.finish()
            self._sharer.attach(self._model)

    def step(self) -> None:
        """Call the pruner or the sharer after a step of the optimiser."""
        current = self._sharer if self._sharing else self._pruner
        if current is not None:
            current.step()

    def state_dict(self) -> dict[str, Any]:
        """State of both, for a checkpoint; ``torch.load(weights_only=True)`` reads it."""
        parts = {"pruner": self._pruner, "sharer": self._sharer if self._sharing else None}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; before `attach`."""
        if self._pruner is not None and "pruner" in state:
            self._pruner.load_state_dict(state["pruner"])
        if self._sharer is not None and "sharer" in state:
            self._sharer.load_state_dict(state["sharer"])
            self._sharing = True

    def save(self, path: Path) -> None:
        """Write `state_dict` to a file."""
        save(self.state_dict(), path)

    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote; before `attach`."""
        self.load_state_dict(torch.load(path, weights_only=True))
