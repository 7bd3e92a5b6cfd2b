"""Compression of a LightningModule while Lightning trains it; needs ``pip install 'dcz[lightning]'``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from ..converters.loops.phases import Phases
from ..converters.loops.pruner import Pruner
from ..converters.loops.sharer import Sharer

__all__ = ["CompressionCallback"]


class CompressionCallback(Callback):  # type: ignore[misc]
    """Prunes the module from the start, and shares its weights from an epoch on.

    The masks and codebooks are part of Lightning's checkpoints, so ``trainer.fit(ckpt_path=...)`` goes on with them.

    Parameters
    ----------
    pruner : Pruner, optional
    sharer : Sharer, optional
    share_epoch : int
        Epoch, counted from 0, from which weights are shared. Pruning should have reached its end by then.

    Raises
    ------
    ConversionError
        There is neither a pruner nor a sharer, or the epoch is negative.
    """

    def __init__(self, pruner: Pruner | None = None, sharer: Sharer | None = None, share_epoch: int = 0) -> None:
        super().__init__()
        self._phases = Phases(pruner, sharer, share_epoch)
        self._steps = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach to the module that is trained."""
        self._steps = trainer.global_step
        self._phases.attach(pl_module, trainer.optimizers[0])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to share where it is time."""
        self._phases.begin_epoch(trainer.current_epoch)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Follow the optimiser, which may accumulate gradients over several batches."""
        if trainer.global_step > self._steps:
            self._steps = trainer.global_step
            self._phases.step()

    def state_dict(self) -> dict[str, Any]:
        """State for Lightning's checkpoints."""
        return self._phases.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._phases.load_state_dict(state_dict)
