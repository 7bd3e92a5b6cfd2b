from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from dcz.converters.frontends.state_dicts.parametrized import apply_masks, fold, masked_by
from dcz.dcformat import ConversionError


def trained(module: nn.Module) -> nn.Module:
    """Run a module a few times in training mode, so that power iterations have moved their vectors; then eval mode."""
    module.train()
    for _ in range(3):
        module(torch.randn(4, 6, 5, 5) if isinstance(module, nn.Conv2d) else torch.randn(4, 6))
    module.eval()
    module(torch.randn(4, 6, 5, 5) if isinstance(module, nn.Conv2d) else torch.randn(4, 6))
    return module


def pruned(module: nn.Module) -> nn.Module:
    prune.random_unstructured(module, "weight", amount=0.4)
    prune.random_unstructured(module, "weight", amount=0.3)
    return prune.l1_unstructured(module, "bias", amount=1)


def pruned_and_normed(module: nn.Module) -> nn.Module:
    nn.utils.weight_norm(module)
    return prune.random_unstructured(module, "weight_v", amount=0.5)


FORMS: dict[str, tuple[Callable[[nn.Module], nn.Module], str]] = {
    "prune": (pruned, "masks of torch.nn.utils.prune"),
    "weight norm": (lambda m: parametrizations.weight_norm(m, dim=0), "weight norm"),
    "weight norm of all": (lambda m: parametrizations.weight_norm(m, dim=None), "weight norm"),
    "weight norm by inputs": (lambda m: parametrizations.weight_norm(m, dim=1), "weight norm"),
    "old weight norm": (nn.utils.weight_norm, "weight norm"),
    "spectral norm": (parametrizations.spectral_norm, "spectral norm"),
    "old spectral norm": (nn.utils.spectral_norm, "spectral norm"),
    "spectral norm by inputs": (lambda m: parametrizations.spectral_norm(m, dim=1), "spectral norm"),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("make", [lambda: nn.Conv2d(6, 8, 3), lambda: nn.Linear(6, 9)], ids=["conv", "linear"])
@pytest.mark.parametrize("form", FORMS)
def test_the_weight_is_that_of_torch_bit_for_bit(form: str, make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(5)
    apply, what = FORMS[form]
    net = nn.Sequential(nn.ReLU(), trained(apply(make())))
    plain, messages = fold(net.state_dict())
    assert set(plain) == {"1.weight", "1.bias"}
    assert torch.equal(plain["1.weight"], net[1].weight)
    assert torch.equal(torch.signbit(plain["1.weight"]), torch.signbit(net[1].weight))
    assert torch.equal(plain["1.bias"], net[1].bias)
    assert len(messages) == 1
    assert messages[0].startswith(f"{what} applied: ")
    assert "'1.weight'" in messages[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("apply", [pruned, parametrizations.weight_norm, parametrizations.spectral_norm])
def test_other_types_of_numbers(apply: Callable[[nn.Module], nn.Module], dtype: torch.dtype) -> None:
    net = apply(nn.Linear(6, 9)).eval().to(dtype)
    net(torch.zeros(1, 6, dtype=dtype))  # puts the pruned weight together
    plain, _ = fold(net.state_dict())
    assert plain["weight"].dtype == dtype
    assert torch.equal(plain["weight"], net.weight)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_masks_on_the_parts_of_another_form() -> None:
    net = pruned_and_normed(nn.Linear(6, 9)).eval()
    net(torch.zeros(1, 6))
    plain, messages = fold(net.state_dict())
    assert set(plain) == {"weight", "bias"}
    assert torch.equal(plain["weight"], net.weight)
    assert len(messages) == 2


def test_what_is_not_what_its_name_promises_stays() -> None:
    states = [
        {"w_orig": torch.ones(2, 2), "w_mask": torch.ones(3)},
        {"w_orig": torch.ones(2, 2)},
        {"w": torch.ones(2), "w_orig": torch.ones(2), "w_mask": torch.ones(2)},
        {"gate_g": torch.ones(3, 1), "gate_v": torch.ones(3, 4)},
        {"weight_g": torch.ones(3), "weight_v": torch.ones(3, 4)},
        {"weight_g": torch.ones(3, 1), "weight_v": torch.ones(3, 4).half()},
        {"weight_g": torch.ones(3, 1).int(), "weight_v": torch.ones(3, 4).int()},
        {"weight_orig": torch.ones(3, 4), "weight_u": torch.ones(3), "weight_v": torch.ones(5)},
        {"weight_orig": torch.ones(3), "weight_u": torch.ones(3), "weight_v": torch.ones(1)},
        {"parametrizations.weight.original": torch.ones(3, 4)},
        {"": torch.ones(1), "a\nb_orig": torch.ones(1), "a{0}b": torch.ones(1)},
    ]
    for state in states:
        plain, messages = fold(state)
        assert plain == state
        assert messages == []


def test_a_parametrization_on_top_that_nobody_knows_is_left_alone() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(2.0))

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight * self.factor

    net = parametrizations.spectral_norm(nn.Linear(6, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parametrize.register_parametrization(net, "weight", Doubled())
    plain, messages = fold(net.state_dict())
    assert plain.keys() == net.state_dict().keys()
    assert messages == []


def test_the_state_dict_itself_is_left_alone_and_order_kept() -> None:
    state = {"a": torch.ones(1), "c_orig": torch.ones(2), "c_mask": torch.zeros(2), "b": torch.ones(3)}
    before = dict(state)
    assert list(fold(state)[0]) == ["a", "c", "b"]
    assert state == before


def test_masks_beside_their_weights() -> None:
    assert masked_by("fc1.mask") == "fc1.weight"
    assert masked_by("fc1.weight_mask") == "fc1.weight"
    assert masked_by("bias_mask") == "bias"
    assert masked_by("mask") == "weight"
    assert masked_by("fc1.masks") is masked_by("unmask") is None

    state = {"fc.weight": torch.tensor([-1.0, 2.0]), "fc.mask": torch.tensor([0, 1]), "n_averaged": torch.tensor(3)}
    kept, messages = apply_masks(state, ["fc.mask", "n_averaged"])
    assert list(kept) == ["fc.weight"]
    assert kept["fc.weight"].tolist() == [0, 2]
    assert messages == ["masks applied: 'fc.mask'"]
    assert state["fc.weight"].tolist() == [-1, 2]

    with pytest.raises(ConversionError, match=r"'fc\.mask' holds more than zeros and ones"):
        apply_masks(state | {"fc.mask": torch.tensor([0.5, 1])}, ["fc.mask"])
