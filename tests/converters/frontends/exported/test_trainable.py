"""Programs of torch.export as modules that train."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dcz import ConversionError
from dcz.converters.frontends.exported.trainable import trainable


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, stride=2, groups=2)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(36, 5)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(torch.relu(self.norm(self.first(x)))).relu()
        return self.fc(self.drop(x.view(x.size(0), -1))) * self.scale


def program(path: Path, network: nn.Module, **options: Any) -> Path:
    batch = 2 if "dynamic_shapes" in options else 1
    torch.export.save(torch.export.export(network.eval(), (torch.randn(batch, 3, 8, 8),), **options), path)
    return path


@pytest.mark.parametrize("options", [{}, {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}])
def test_layers_are_modules_again_and_train(tmp_path: Path, options: dict[str, Any]) -> None:
    network = Network()
    module, shape = trainable(program(tmp_path / "net.pt2", network, **options))
    assert shape == (3, 8, 8)
    found = dict(module.named_modules())
    assert [type(found[name]) for name in ("first", "norm", "second", "fc")] == [
        nn.Conv2d, nn.BatchNorm2d, nn.Conv2d, nn.Linear,
    ]  # fmt: skip
    assert {name for name, _ in module.named_parameters()} == {name for name, _ in network.named_parameters()}
    x = torch.randn(6, 3, 8, 8)
    torch.testing.assert_close(module(x), network(x))

    again = copy.deepcopy(module).train()
    torch.manual_seed(3)
    answers = again(x)
    torch.manual_seed(3)
    torch.testing.assert_close(answers, copy.deepcopy(network).train()(x))  # dropout and batch statistics
    answers.sum().backward()
    assert all(parameter.grad is not None for parameter in again.parameters())
    assert int(again.norm.num_batches_tracked) == 1


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(2, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.kernel)


def test_a_weight_that_no_layer_holds_stays_a_parameter(tmp_path: Path) -> None:
    module, _ = trainable(program(tmp_path / "net.pt2", Functional()))
    assert [name for name, _ in module.named_parameters()] == ["kernel"]


class TwoOutputs(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + 1


class Mixing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


@pytest.mark.parametrize(
    ("network", "message"),
    [(TwoOutputs(), "has one input and one output .*found 1 and 2"), (Mixing(), "of one batch size only")],
)
def test_what_cannot_train_is_refused(tmp_path: Path, network: nn.Module, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        trainable(program(tmp_path / "net.pt2", network))


def test_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"no program")
    with pytest.raises(ConversionError, match="not an exported program"):
        trainable(tmp_path / "net.pt2")
