from __future__ import annotations

from pathlib import Path

import pytest
import torch
from loop_networks import batches, density, loss_of, network, weights
from torch import nn

from dcz import ConversionError
from dcz.compression import Pruner, Sharer
from dcz.converters.loops.phases import Phases

EPOCHS, STEPS = 3, 4


def phases() -> Phases:
    return Phases(Pruner(0.25, end=6, every=1), Sharer(3), share_epoch=2)


def train(folder: Path, begin: int = 0, end: int = EPOCHS) -> nn.Module:
    """Train from one epoch to another, as a library does: everything is saved after each."""
    torch.manual_seed(0)
    model, compressor = network(), phases()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    if begin:
        state = torch.load(folder / f"{begin}.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        compressor.load(folder / f"{begin}.phases")
    compressor.attach(model, optimizer)
    for epoch in range(begin, end):
        compressor.begin_epoch(epoch)
        for batch in batches(STEPS, seed=epoch):
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            optimizer.step()
            compressor.step()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / f"{epoch + 1}.pt")
        compressor.save(folder / f"{epoch + 1}.phases")
    return model


def test_prunes_then_shares_and_resumes_in_either_phase(tmp_path: Path) -> None:
    whole = train(tmp_path)
    assert density(whole) == pytest.approx(0.25, abs=0.001)
    assert max(len(torch.unique(w[w != 0])) for w in weights(whole)) <= 8
    for begin in (1, 2):
        resumed = train(tmp_path, begin)
        assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))


def test_either_alone() -> None:
    pruned, shared = network(), network()
    Phases(Pruner(0.5), None, share_epoch=0).attach(pruned)
    assert density(pruned) == pytest.approx(0.5, abs=0.001)
    alone = Phases(None, Sharer(2), share_epoch=0)
    alone.attach(shared)
    alone.step()  # there is nothing to do before the first epoch
    alone.begin_epoch(0)
    assert max(len(torch.unique(w)) for w in weights(shared)) <= 4


def test_nothing_to_do_is_refused() -> None:
    with pytest.raises(ConversionError, match="a pruner, a sharer or both"):
        Phases(None, None, share_epoch=0)
    with pytest.raises(ConversionError, match="share_epoch out of range"):
        Phases(None, Sharer(3), share_epoch=-1)
