"""The callback in Hugging Face's own Trainer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dcz.compression import Pruner, Sharer

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("default")


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def train(folder: Path, epochs: int, stop_after: int | None = None, resume: bool = False) -> list[Tensor]:
    from dcz.compression.transformers import CompressionCallback

    class Stop(transformers.TrainerCallback):
        def on_epoch_end(self, args, state, control, **given):
            control.should_training_stop = stop_after is not None and state.epoch >= stop_after

    generator = torch.Generator().manual_seed(1)
    rows = [{"x": torch.rand(12, generator=generator), "labels": i % 4} for i in range(32)]
    arguments = transformers.TrainingArguments(
        str(folder), num_train_epochs=epochs, per_device_train_batch_size=8, save_strategy="epoch", report_to=[],
        use_cpu=True, disable_tqdm=True, learning_rate=0.01, logging_strategy="no",
    )  # fmt: skip
    callback = CompressionCallback(Pruner(0.25, end=8, every=1), Sharer(3), share_epoch=2)
    model = Model()
    transformers.Trainer(model, arguments, train_dataset=rows, callbacks=[callback, Stop()]).train(
        resume_from_checkpoint=resume
    )
    return [layer.weight for layer in model.net if isinstance(layer, nn.Linear)]


def test_prunes_then_shares_and_resumes(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", 4)
    assert sum(int((w != 0).sum()) for w in whole) == 64
    assert max(len(torch.unique(w[w != 0])) for w in whole) <= 8
    for stop in (1, 3):  # while pruning, and while sharing
        stopped = train(tmp_path / f"{stop}", 4, stop_after=stop)
        assert not all(torch.equal(a, b) for a, b in zip(whole, stopped, strict=True))
        resumed = train(tmp_path / f"{stop}", 4, resume=True)
        assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True)), stop
