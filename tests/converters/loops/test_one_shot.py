from __future__ import annotations

import copy

import pytest
import torch
from loop_networks import batches, density, network, weights
from torch import nn

from dcz import ConversionError
from dcz.compression import Pruner, Sharer, one_shot

INPUTS = [images for images, _ in batches(8)]


def error(model: nn.Module, other: nn.Module) -> float:
    with torch.no_grad():
        return float(sum((model(x) - other(x)).square().mean() for x in INPUTS))


@pytest.mark.parametrize("bits", [None, 3])
def test_it_loses_less_than_the_same_amount_without_inputs(bits: int | None) -> None:
    dense = network().eval()
    plain = copy.deepcopy(dense)
    Pruner(0.4).attach(plain)
    if bits:
        Sharer(bits).attach(plain)
    made = one_shot(copy.deepcopy(dense), INPUTS, density=0.4, bits=bits)
    assert density(made) == pytest.approx(0.4, abs=0.001)
    assert error(made, dense) < 0.7 * error(plain, dense)
    if bits:
        assert all(torch.unique(w[w != 0]).numel() <= 1 << bits for w in weights(made))


def test_a_layer_is_rebuilt_to_the_least_squares_solution() -> None:
    """With all weights but one kept, the others make up for it: the closed form of Optimal Brain Surgeon."""
    torch.manual_seed(0)
    x = torch.randn(64, 5) @ torch.randn(5, 5)
    layer = nn.Linear(5, 1, bias=False)
    wanted = x @ layer.weight.detach().T
    made = one_shot(nn.Sequential(copy.deepcopy(layer)), [x], density=0.8, damp=1e-9)[0].weight.detach()
    kept = (made != 0).reshape(-1)
    assert int(kept.sum()) == 4
    gone = int((~kept).nonzero())
    later = torch.arange(5) > gone  # the sweep goes from the first column to the last
    rest = wanted - x[:, ~later & kept] @ layer.weight.detach()[:, ~later & kept].T
    if later.any():
        best = torch.linalg.lstsq(x[:, later], rest).solution.T
        torch.testing.assert_close(made[:, later], best, rtol=1e-3, atol=1e-3)


def test_layers_on_lines() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(4, 6, 3, stride=2, padding=1, padding_mode="circular"), nn.Flatten(), nn.Linear(30, 3)
    )
    made = one_shot(model, [torch.randn(20, 4, 10)], density=0.5, bits=4)
    assert density(made) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one_shot(network(), [], density=0.5), "no inputs to compress by"),
        (lambda: one_shot(network(), INPUTS, density=2.0), "density out of range"),
        (lambda: one_shot(network(), INPUTS, bits="body=3"), "the network has no layer 'body'"),
        (lambda: one_shot(nn.Sequential(nn.ConvTranspose2d(3, 2, 2)), INPUTS, density=0.5), "cannot be rebuilt"),
    ],
)
def test_bad_input(make: object, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        make()  # type: ignore[operator]
