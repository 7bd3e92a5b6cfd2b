"""The callback in Lightning's own Trainer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dcz
from dcz.compression import Pruner, Sharer

pl = pytest.importorskip("lightning.pytorch")
pytestmark = pytest.mark.filterwarnings("default")


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def fit(folder: Path, callback: object, epochs: int, ckpt: str | None = None, accumulate: int = 1) -> pl.Trainer:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(32, 12, generator=generator), torch.randint(0, 4, (32,), generator=generator)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=8)
    trainer = pl.Trainer(
        max_epochs=epochs, callbacks=[callback], accelerator="cpu", logger=False, enable_checkpointing=False,
        default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False,
        accumulate_grad_batches=accumulate,
    )  # fmt: skip
    trainer.fit(Module(), loader, ckpt_path=ckpt, weights_only=True)
    return trainer


def callback() -> object:
    from dcz.compression.lightning import CompressionCallback

    return CompressionCallback(Pruner(0.25, end=8, every=1), Sharer(3), share_epoch=2)


def weights(trainer: pl.Trainer) -> list[Tensor]:
    return [layer.weight for layer in trainer.model.net if isinstance(layer, nn.Linear)]


def test_prunes_then_shares(tmp_path: Path) -> None:
    pruned = weights(fit(tmp_path, callback(), epochs=2))
    assert sum(int((w != 0).sum()) for w in pruned) == 64
    shared = weights(fit(tmp_path, callback(), epochs=4))
    assert sum(int((w != 0).sum()) for w in shared) == 64
    assert max(len(torch.unique(w[w != 0])) for w in shared) <= 8


def test_a_checkpoint_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    whole = weights(fit(tmp_path, callback(), epochs=4))
    for stop in (1, 3):  # while pruning, and while sharing
        fit(tmp_path, callback(), epochs=stop).save_checkpoint(tmp_path / "stopped.ckpt")
        resumed = weights(fit(tmp_path, callback(), epochs=4, ckpt=str(tmp_path / "stopped.ckpt")))
        assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True)), stop


def test_counts_steps_of_the_optimiser_not_batches(tmp_path: Path) -> None:
    from dcz.compression.lightning import CompressionCallback

    pruner = Pruner(0.25, end=8, every=1)
    fit(tmp_path, CompressionCallback(pruner), epochs=2, accumulate=2)
    assert pruner.state_dict()["steps"] == 4


def test_nothing_to_do_is_refused() -> None:
    from dcz.compression.lightning import CompressionCallback

    with pytest.raises(dcz.ConversionError, match="a pruner, a sharer or both"):
        CompressionCallback()
    with pytest.raises(dcz.ConversionError, match="share_epoch out of range"):
        CompressionCallback(sharer=Sharer(3), share_epoch=-1)
