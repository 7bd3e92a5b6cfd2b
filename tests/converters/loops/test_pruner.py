from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from loop_networks import batches, density, loss_of, network, weights
from torch import nn

from dcz import ConversionError, PruneRule
from dcz.compression import Pruner

OPTIMIZERS = {
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_are_zero_after_each_step_and_stay_pruned(name: str) -> None:
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    pruner = Pruner(0.2, begin=2, end=10, every=2).attach(model, optimizer)
    before = {name: torch.ones_like(mask) for name, mask in pruner.masks.items()}
    found = []
    for batch in batches(14):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
        pruner.step()
        found.append(density(model))
        for key, mask in pruner.masks.items():
            weight = model.get_parameter(key)
            assert not weight[~mask].any()
            assert not (mask & ~before.get(key, mask)).any(), "a pruned weight came back"
            assert all(not s[~mask].any() for s in optimizer.state[weight].values() if s.shape == mask.shape)
        before = pruner.masks
    assert found[0] == found[1] == 1
    assert sorted(found, reverse=True) == found
    assert found[9] == found[-1] == pytest.approx(0.2, abs=0.001)
    # (1 - t)**3 at half of the way: 1 - .8 * (1 - .5**3)
    assert found[5] == pytest.approx(1 - 0.8 * (1 - 0.5**3), abs=0.001)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("percent:75", 0.25), (PruneRule("percent", 75.0), 0.25), (0.25, 0.25), ({"conv": 0.25, "fc": 0.25}, 0.25)],
)
def test_amounts(amount: object, expected: float) -> None:
    model = network()
    pruner = Pruner(amount).attach(model)  # type: ignore[arg-type]
    assert density(model) == pruner.density == pytest.approx(expected, abs=0.005)


def test_layers_by_pattern_and_by_name() -> None:
    model = network()
    Pruner({"6": 0.1}).attach(model)
    found = [float((w != 0).float().mean()) for w in weights(model)]
    assert found == [1, 1, pytest.approx(0.1, abs=0.01)]
    model = network()
    Pruner("percent:50", layers=["0", "3"]).attach(model)
    assert [float((w != 0).float().mean()) for w in weights(model)] == [pytest.approx(0.5, abs=0.01)] * 2 + [1]


def test_gradients_are_accumulated_and_computed_in_half_precision() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    pruner = Pruner("percent:60", end=2, every=1).attach(model, optimizer)
    for i, batch in enumerate(batches(6)):
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, batch)
        scaler.scale(loss / 2).backward()
        if i % 2:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            pruner.step()
    assert density(model) == pytest.approx(0.4, abs=0.005)


def trained(model: nn.Module, pruner: Pruner, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for batch in batches(12)[first:last]:
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
        pruner.step()


def test_a_resumed_training_gives_the_same_bits(tmp_path: Path) -> None:
    def start() -> tuple[nn.Module, torch.optim.Optimizer, Pruner]:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return model, optimizer, Pruner(0.1, end=8, every=3).attach(model, optimizer)

    whole, optimizer, pruner = start()
    trained(whole, pruner, optimizer, 0, 12)
    model, optimizer, pruner = start()
    trained(model, pruner, optimizer, 0, 5)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "pruner": pruner.state_dict()}
    torch.save(state, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    model, optimizer, pruner = start()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    pruner.load_state_dict(state["pruner"])
    trained(model, pruner, optimizer, 5, 12)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), model.parameters(), strict=True))


def test_an_average_is_pruned_too_and_wrappers_are_left_behind() -> None:
    model = network()
    average = torch.optim.swa_utils.AveragedModel(model)
    pruner = Pruner(0.3).attach(average)
    assert density(average) == pytest.approx(0.3, abs=0.001)
    assert density(model) == 1
    pruner.apply(model)
    assert density(model) == pytest.approx(0.3, abs=0.001)
    assert type(pruner.finish()) is nn.Sequential


def test_a_tied_weight_is_pruned_once() -> None:
    model = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20))
    model[1].weight = model[0].weight
    pruner = Pruner("percent:50").attach(model)
    assert list(pruner.masks) == ["0.weight"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pruner("percent:120"), "pruning amount does not fit 'percent'"),
        (lambda: Pruner(0.0), "density out of range"),
        (lambda: Pruner({"fc": 1.5}), "density out of range .fc, "),
        (lambda: Pruner(0.5, begin=5, end=2), "steps out of range"),
        (lambda: Pruner(0.5).step(), "no network is attached"),
        (lambda: Pruner({"fc9": 0.5}).attach(network()), "the network has no layer 'fc9'"),
        (lambda: Pruner(0.5, layers=["body.*"]).attach(network()), r"the network has no layer 'body\.\*'"),
        (lambda: Pruner(0.5).attach(nn.ReLU()), "no convolution and no linear layer"),
        (lambda: Pruner(0.5).attach([network()]), r"not a network .*found list"),
        (lambda: Pruner(0.5).load_state_dict({"0": 1}), "not the state of a Pruner .*found 0"),
    ],
)
def test_bad_input(make: object, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        make()  # type: ignore[operator]


def test_a_training_that_diverged_is_not_pruned() -> None:
    model = network()
    pruner = Pruner(0.5, end=4, every=1).attach(model)
    before = copy.deepcopy(pruner.masks)
    with torch.no_grad():
        model[6].weight[0, 0] = float("nan")
    with pytest.raises(ConversionError, match=r"'6\.weight' holds NaN or infinity"):
        pruner.step()
    assert pruner.masks == before


def test_a_state_of_another_network() -> None:
    state = Pruner(0.5).attach(network()).state_dict()
    pruner, other = Pruner(0.5), nn.Sequential(nn.Conv2d(3, 4, 3))
    pruner.load_state_dict(state)
    with pytest.raises(ConversionError, match=r"another network \(0\.weight, expected 216 weights, found 108\)"):
        pruner.attach(other)
    with pytest.raises(ConversionError, match=r"another network \(0\.weight, expected 216 weights, found no such"):
        pruner.attach(nn.Linear(3, 3))


def test_a_loop_that_ends_before_the_pruning_does(caplog: pytest.LogCaptureFixture) -> None:
    pruner = Pruner(0.5, end=4, every=2).attach(network())
    for _ in range(3):
        pruner.step()
    pruner.finish()
    (message,) = caplog.messages
    assert message == f"pruning ended at step 3, before its last at 4: {pruner.density:.3g} of the weights stay"
    caplog.clear()
    pruner.step()
    pruner.finish()
    assert not caplog.messages
