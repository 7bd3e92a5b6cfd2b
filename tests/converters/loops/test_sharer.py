from __future__ import annotations

from pathlib import Path

import pytest
import torch
from loop_networks import batches, loss_of, network, weights
from torch import Tensor, nn

import dcz
from dcz import ConversionError
from dcz.compression import Pruner, Sharer


def distinct(weight: Tensor) -> int:
    values = torch.unique(weight)
    return int((values != 0).sum())


@pytest.mark.parametrize("grid", [0, 7])
def test_weights_are_shared_after_each_step_and_zeros_stay(grid: int) -> None:
    model = network()
    Pruner(0.4).attach(model)
    zeros = [w == 0 for w in weights(model)]
    sharer = Sharer("conv=4,fc=3", grid=grid).attach(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    first = [w.clone() for w in weights(model)]
    for batch in batches(5):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
        sharer.step()
        for weight, zero, bits in zip(weights(model), zeros, (4, 4, 3), strict=True):
            assert distinct(weight) <= 1 << bits
            assert torch.equal(weight == 0, zero)
            if grid:
                scale = torch.unique(weight.abs())[1]  # the least level that occurs is a multiple of the scale
                assert torch.unique(weight).numel() <= 1 << bits | 1
                assert scale > 0
    assert any(not torch.equal(a, b) for a, b in zip(first, weights(model), strict=True))


def test_a_step_of_sgd_moves_a_centroid_by_the_mean_gradient() -> None:
    model = nn.Sequential(nn.Linear(6, 4, bias=False))
    sharer = Sharer(2).attach(model)
    before = model[0].weight.detach().clone()
    x = torch.randn(8, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model(x).square().sum().backward()
    gradient = model[0].weight.grad.clone()
    optimizer.step()
    sharer.step()
    for value in torch.unique(before):
        members = before == value
        expected = value - 0.05 * gradient[members].mean()
        torch.testing.assert_close(model[0].weight[members], expected.expand(int(members.sum())))


def test_a_layer_that_the_rule_leaves_out_is_not_shared() -> None:
    model = network()
    before = [w.clone() for w in weights(model)]
    Sharer("fc=2").attach(model)
    assert torch.equal(before[0], weights(model)[0])
    assert distinct(weights(model)[2]) == 4


def test_resume_and_average(tmp_path: Path) -> None:
    model = network()
    sharer = Sharer(3).attach(model)
    torch.save(sharer.state_dict(), tmp_path / "state.pt")
    other = network(seed=5)
    again = Sharer(3)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    again.attach(other)
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(other), strict=True))
    average = torch.optim.swa_utils.AveragedModel(network(seed=6))
    sharer.apply(average)
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(average), strict=True))
    assert type(again.finish()) is nn.Sequential


def test_the_file_is_small_and_lossless(tmp_path: Path) -> None:
    model = network()
    Pruner("percent:80").attach(model)
    model = Sharer(4).attach(model).finish().eval()
    report = dcz.convert(model, tmp_path / "m.dcz", input_shape=(3, 8, 8))
    assert report.lossless
    with dcz.open(tmp_path / "m.dcz") as container:
        rows = {row["name"]: row for row in container.info()["tensors"]}
        assert rows["6.weight"]["encoding"].startswith("sparse_shared")
    images = batches(1)[0][0]
    with torch.no_grad():
        expected = model(images).numpy()
    assert abs(dcz.load(tmp_path / "m.dcz")(images.numpy()) - expected).max() < 1e-5


def test_half_precision_weights() -> None:
    model = nn.Sequential(nn.Linear(30, 20)).to(torch.bfloat16)
    sharer = Sharer(4).attach(model)
    assert distinct(model[0].weight.detach()) <= 16
    sharer.step()
    assert distinct(model[0].weight.detach()) <= 16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sharer(9), "cannot read the bits"),
        (lambda: Sharer(4, grid=12), "grid out of range"),
        (lambda: Sharer(4, method="magic"), "unknown clustering method"),
        (lambda: Sharer("body=3").attach(network()), "the network has no layer 'body'"),
        (lambda: Sharer(4).step(), "no network is attached"),
        (lambda: Sharer(4).load_state_dict({"a": 1}), r"not the state of a Sharer \(a, expected centroids"),
    ],
)
def test_bad_input(make: object, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        make()  # type: ignore[operator]


def test_a_training_that_diverged() -> None:
    model = network()
    sharer = Sharer(4).attach(model)
    with torch.no_grad():
        model[6].weight[0, 0] = float("inf")
    with pytest.raises(ConversionError, match=r"'6\.weight' holds NaN or infinity"):
        sharer.step()


@pytest.mark.parametrize("attached", [False, True])
def test_a_state_of_another_network(attached: bool) -> None:
    state, other = Sharer(4).attach(network()).state_dict(), nn.Sequential(nn.Conv2d(3, 4, 3))
    sharer = Sharer(4)
    if attached:
        sharer.attach(other)
        with pytest.raises(ConversionError, match=r"another network \(0\.weight, expected 216 weights, found 108\)"):
            sharer.load_state_dict(state)
    else:
        sharer.load_state_dict(state)
        with pytest.raises(ConversionError, match=r"another network \(0\.weight, expected 216 weights, found 108\)"):
            sharer.attach(other)
