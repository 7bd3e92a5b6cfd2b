from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dcz.converters.compare import compare
from dcz.converters.convert import convert


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(1)
    layers = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)]
    return nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def container(net: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare") / "net.dcz"
    convert(net, path, input_shape=(2, 8, 8))
    return path


def test_a_lossless_container_agrees_with_its_module(net: nn.Module, container: Path) -> None:
    result = compare(container, net)
    assert (result.tensors_equal, result.problems) == (True, [])
    assert result.max_output_error is not None
    assert result.max_output_error < 1e-5


def test_a_module_in_training_is_compared_in_eval_mode_and_left_as_it_is(net: nn.Module, container: Path) -> None:
    training = copy.deepcopy(net).train()
    before = copy.deepcopy(training.state_dict())
    result = compare(container, training)
    assert result.max_output_error is not None
    assert result.max_output_error < 1e-5
    assert training.training
    assert all(torch.equal(training.state_dict()[name], value) for name, value in before.items())


def test_with_a_bare_state_dict_torch_runs_the_graph(net: nn.Module, container: Path, tmp_path: Path) -> None:
    torch.save(net.state_dict(), tmp_path / "net.pt")
    result = compare(container, tmp_path / "net.pt")
    assert result.tensors_equal
    assert result.max_output_error is not None
    assert result.max_output_error < 1e-5


def test_differences_are_measured(net: nn.Module, container: Path, tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in net.state_dict().items()}
    state["5.bias"][2] += 0.5
    torch.save(state, tmp_path / "net.pt")
    inputs = np.random.default_rng(3).normal(size=(4, 2, 8, 8)).astype(np.float32)
    result = compare(container, tmp_path / "net.pt", inputs=inputs)
    assert not result.tensors_equal
    assert result.problems == ["tensor '5.bias' differs by up to 0.5"]
    with torch.no_grad():
        scores = net(torch.from_numpy(inputs))
        scores[:, 2] += 0.5
    assert result.max_output_error == pytest.approx(0.5 / scores.abs().max().item(), rel=1e-4)


def test_missing_and_misshapen_tensors(net: nn.Module, container: Path, tmp_path: Path) -> None:
    state = dict(net.state_dict())
    state["5.bias"] = torch.zeros(6)
    state["gate"] = torch.zeros(1)
    del state["0.weight"]
    torch.save(state, tmp_path / "net.pt")
    result = compare(container, tmp_path / "net.pt")
    assert not result.tensors_equal
    assert result.max_output_error is None
    expected = ["tensor '5.bias' is F32 [5], in the model F32 [6]", "tensor 'gate' is missing from the container"]
    assert result.problems == expected


def test_weights_only_containers_compare_tensors_alone(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pt")
    convert(tmp_path / "a.pt")
    result = compare(tmp_path / "a.dcz", tmp_path / "a.pt")
    assert result.tensors_equal
    assert result.max_output_error is None
