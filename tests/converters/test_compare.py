from __future__ import annotations

import copy
import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import dcz
from dcz.converters.compare import compare
from dcz.converters.convert import convert
from dcz.dcformat import ConversionError


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
    assert result.problems == ["tensor '5.bias' differs by up to 0.5, 0.224 rms"]
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


FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.register_buffer("mix", torch.linspace(-1, 1, 15).reshape(3, 5))

    def forward(self, x):
        features = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return nn.functional.linear(self.fc(features), self.mix)
"""


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], nn.Module]:
    """A network that dcz does not know, importable as ``verified_net:Net``; the current folder is a fresh one."""
    (tmp_path / "verified_net.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "verified_net", raising=False)
    torch.manual_seed(2)
    made: Callable[[], nn.Module] = importlib.import_module("verified_net").Net
    return made


def exported(module: nn.Module, batch: int, dtype: torch.dtype = torch.float32, dynamic: Any = None) -> Path:
    example = torch.zeros((batch, 2, 8, 8), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module.eval(), (example,), dynamic_shapes=dynamic), "net.pt2")
    return Path("net.pt2")


def agrees(container: Path, model: nn.Module | Path, **options: Any) -> None:
    result = compare(container, model, **options)
    assert (result.tensors_equal, result.problems) == (True, [])
    assert result.max_output_error is not None
    assert result.max_output_error < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", ["module", "checkpoint with its network", "bare checkpoint", "program"])
def test_every_floating_point_type_agrees(kind: str, dtype: torch.dtype, factory: Callable[[], nn.Module]) -> None:
    module = factory().to(dtype)
    options: dict[str, Any] = {}
    model: nn.Module | Path = module
    if kind == "program":
        model = exported(module, 2, dtype)
    elif kind != "module":
        model = Path("net.pt")
        torch.save(module.state_dict(), model)
        options = {"arch": "verified_net:Net"}
    convert(model, "net.dcz", input_shape=(2, 8, 8), **options)
    agrees(Path("net.dcz"), model, **({} if kind == "bare checkpoint" else options), input_shape=(2, 8, 8))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_program_is_asked_in_batches_of_its_own_size(batch: int, factory: Callable[[], nn.Module]) -> None:
    program = exported(factory(), batch)
    convert(program)
    agrees(Path("net.dcz"), program)
    seven = np.random.default_rng(0).normal(size=(7, 2, 8, 8)).astype(np.float32)
    agrees(Path("net.dcz"), program, inputs=seven)


def test_a_program_with_a_least_batch_is_asked_for_that(factory: Callable[[], nn.Module]) -> None:
    program = exported(factory(), 6, dynamic={"x": {0: torch.export.Dim("batch", min=5, max=64)}})
    convert(program)
    agrees(Path("net.dcz"), program)


class Wrapped(nn.Module):
    def __init__(self, net: nn.Module, wrap: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.net, self.wrap = net, wrap

    def forward(self, x: torch.Tensor) -> object:
        return self.wrap(self.net(x))


@pytest.mark.parametrize(
    "wrap",
    [lambda y: {"out": y}, lambda y: (y,), lambda y: [y], lambda y: {"a": [(y,)]}],
    ids=["dict", "tuple", "list", "nested"],
)
def test_the_one_tensor_of_an_answer_is_compared(
    wrap: Callable[[torch.Tensor], object], factory: Callable[[], nn.Module]
) -> None:
    program = exported(Wrapped(factory(), wrap), 1)
    convert(program)
    agrees(Path("net.dcz"), program)


def test_zeros_of_another_sign_are_counted_and_no_problem(net: nn.Module, tmp_path: Path) -> None:
    masked = copy.deepcopy(net)
    with torch.no_grad():
        masked[5].weight.mul_(masked[5].weight.abs() > 0.05)
    left_behind = int((masked[5].weight.eq(0) & masked[5].weight.signbit()).sum())
    assert left_behind > 0
    convert(masked, tmp_path / "net.dcz", input_shape=(2, 8, 8), positive_zeros=True)
    result = compare(tmp_path / "net.dcz", masked)
    assert (result.tensors_equal, result.zero_signs, result.problems) == (False, left_behind, [])
    assert compare(tmp_path / "net.dcz", masked).max_output_error < 1e-5
    convert(masked, tmp_path / "net.dcz", input_shape=(2, 8, 8))
    assert compare(tmp_path / "net.dcz", masked).zero_signs == 0


def test_nans_of_other_bits_are_a_problem(tmp_path: Path) -> None:
    bits = torch.tensor([0x7FC00000, 0x3F800000], dtype=torch.int32)
    torch.save({"a": bits.view(torch.float32)}, tmp_path / "a.pt")
    convert(tmp_path / "a.pt")
    torch.save({"a": (bits + torch.tensor([1, 0], dtype=torch.int32)).view(torch.float32)}, tmp_path / "a.pt")
    result = compare(tmp_path / "a.dcz", tmp_path / "a.pt")
    assert not result.tensors_equal
    assert len(result.problems) == 1


def test_lossy_containers_say_how_far_each_tensor_is(net: nn.Module, tmp_path: Path) -> None:
    report = convert(net, tmp_path / "net.dcz", input_shape=(2, 8, 8), prune="percent:50", bits=2)
    result = compare(tmp_path / "net.dcz", net)
    assert len(result.problems) == len(report.errors) == 2
    for name, error in report.errors.items():
        assert f"tensor {name!r} differs by up to {error.max_error:g}, {error.rms_error:.3g} rms" in result.problems


def test_a_container_without_a_graph_needs_no_network(factory: Callable[[], nn.Module]) -> None:
    torch.save(factory().state_dict(), "net.pt")
    convert("net.pt")
    for options in ({}, {"arch": "verified_net:Net"}, {"arch": "verified_net:Net", "input_shape": (2, 8, 8)}):
        result = compare("net.dcz", "net.pt", **options)
        assert (result.tensors_equal, result.max_output_error, result.problems) == (True, None, [])


def test_another_input_shape_than_the_containers_is_refused(net: nn.Module, container: Path) -> None:
    with pytest.raises(ConversionError, match=r"another input shape \(expected \[2, 8, 8\], found \[2, 9, 9\]\)"):
        compare(container, net, input_shape=(2, 9, 9))


def test_one_number_a_sample_is_compared_in_the_shape_of_the_container(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)).eval()
    report = dcz.convert(module, tmp_path / "one.dcz", input_shape=(4,))
    assert "one number a sample, answered in the shape [N, 1]: 'output'" in report.messages
    x = torch.randn(3, 4)
    with torch.no_grad():
        np.testing.assert_allclose(dcz.load(tmp_path / "one.dcz")(x.numpy()), module(x)[:, None].numpy(), rtol=1e-5)
    assert dcz.verify(tmp_path / "one.dcz", module, input_shape=(4,)).ok
