"""Compression of a model while Hugging Face's Trainer trains it; needs ``pip install 'dcz[transformers]'``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..converters.loops.phases import Phases
from ..converters.loops.pruner import Pruner
from ..converters.loops.sharer import Sharer

__all__ = ["CompressionCallback"]

STATE = "dcz_compression.pt"
"""File beside the others of a checkpoint of the Trainer."""


class CompressionCallback(TrainerCallback):  # type: ignore[misc]
    """Prunes the model from the start, and shares its weights from an epoch on.

    The masks and codebooks are written into each checkpoint of the Trainer, so ``train(resume_from_checkpoint=True)``
    goes on with them.

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
        self._phases = Phases(pruner, sharer, share_epoch)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Attach to the model that is trained; go on from the checkpoint that the Trainer has loaded."""
        saved = _file(args, state)
        if state.global_step > 0 and saved.exists():
            self._phases.load(saved)
        self._phases.attach(given["model"], given["optimizer"])

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin to share where it is time."""
        self._phases.begin_epoch(int(state.epoch or 0))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Follow the optimiser."""
        self._phases.step()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Write the masks and codebooks beside the Trainer's own files."""
        if state.is_world_process_zero:
            self._phases.save(_file(args, state))


def _file(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir, f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}", STATE)
