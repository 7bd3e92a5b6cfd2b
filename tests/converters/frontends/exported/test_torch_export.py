from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dcz.converters.frontends.exported.torch_export import from_module, from_pt2
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import ConversionError


class Net(nn.Module):
    """Shares a weight, holds a constant and a parameter that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.unused = nn.Parameter(torch.randn(2))
        self.register_buffer("kernel", torch.full((4, 1, 2, 2), 0.25), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x)).relu()
        x = nn.functional.conv2d(x, self.kernel, groups=4)
        return self.second(self.first(self.drop(x.mean((2, 3)))))


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


SHAPE = (3, 6, 5)


def export(module: nn.Module, path: Path, batch: int = 2, dynamic: bool = False) -> Path:
    shapes = {"x": {0: torch.export.Dim("batch", min=1, max=64)}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.randn(batch, *SHAPE),), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


def test_a_module_keeps_its_mode_and_its_tensors() -> None:
    net = Net()
    net.norm.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    source = from_module(net, SHAPE)
    assert net.training
    assert net.drop.training
    assert not net.norm.training
    assert list(source.tensors) == [*before, "kernel"]
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert source.graph is not None
    x = torch.randn(3, *SHAPE)
    torch.testing.assert_close(GraphModule(source.graph, source.tensors)(x), net.eval()(x))


def test_shared_weights_are_used_twice() -> None:
    source = from_module(Net(), SHAPE)
    assert source.graph is not None
    weights = [node.params["weight"] for node in source.graph.nodes if node.op == "linear"]
    assert len(weights) == 2
    assert len(set(weights)) == 1


@pytest.mark.parametrize(("batch", "dynamic"), [(1, False), (3, False), (2, True)])
def test_exported_program(tmp_path: Path, batch: int, dynamic: bool) -> None:
    net = Net().eval()
    source = from_pt2(export(net, tmp_path / "net.pt2", batch, dynamic))
    assert source.graph is not None
    assert source.graph.input_shape == SHAPE
    assert set(source.tensors) == {*net.state_dict(), "kernel"}
    x = torch.randn(batch, *SHAPE)
    torch.testing.assert_close(GraphModule(source.graph, source.tensors)(x), net(x))
    assert source.reference is not None
    torch.testing.assert_close(source.reference()(x), net(x))


def test_exported_in_training_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"changes its buffers .*norm\.running_mean.*eval mode"):
        from_pt2(export(Net().train(), tmp_path / "net.pt2"))


def test_the_input_shape_of_a_program_is_its_own(tmp_path: Path) -> None:
    path = export(Net().eval(), tmp_path / "net.pt2")
    assert from_pt2(path, SHAPE).graph is not None
    with pytest.raises(ConversionError, match=r"another input shape.*expected \[3, 6, 5\], found \[3, 8, 8\]"):
        from_pt2(path, (3, 8, 8))


def test_half_precision_modules_are_traced_in_their_own_type() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU()).bfloat16()
    source = from_module(net, SHAPE)
    assert source.tensors["0.weight"].dtype == "BF16"


def test_a_program_of_two_inputs(tmp_path: Path) -> None:
    program = torch.export.export(TwoInputs(), (torch.zeros(2, 3), torch.zeros(2, 3)))
    torch.export.save(program, tmp_path / "two.pt2")
    source = from_pt2(tmp_path / "two.pt2", {"y": (3,), "x": (3,)})
    assert source.graph is not None
    assert [given.name for given in source.graph.inputs] == ["x", "y"]
    with pytest.raises(ConversionError, match=r"another input shape.*'x': \[3\].*found 3 and 4"):
        from_pt2(tmp_path / "two.pt2", [(3,), (4,)])


def test_a_network_that_does_nothing() -> None:
    source = from_module(nn.Identity(), SHAPE)
    assert source.graph is not None
    assert (source.graph.nodes, source.graph.output) == ((), 0)


def damaged(how: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        if how == "garbage":
            path.write_bytes(b"no zip file" * 9)
        elif how == "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("net/data.pkl", b"x")

    return damage


@pytest.mark.parametrize("how", ["garbage", "truncated", "another zip"])
def test_damaged_programs(tmp_path: Path, how: str) -> None:
    path = export(nn.ReLU(), tmp_path / "net.pt2")
    damaged(how)(path)
    with pytest.raises(ConversionError, match="not an exported program"):
        from_pt2(path)


class Harmful:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("harm"),))


def test_pickles_in_a_program_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program keeps its sample inputs as a pickle; torch's own loader would run what it holds."""
    monkeypatch.chdir(tmp_path)
    path = export(nn.ReLU(), tmp_path / "net.pt2")
    torch.save(Harmful(), tmp_path / "harmful")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickles = [name for name in members if name.endswith(".pt")]
    assert pickles
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, (tmp_path / "harmful").read_bytes() if name in pickles else data)
    with pytest.raises(ConversionError, match="not an exported program"):
        from_pt2(path)
    assert not (tmp_path / "harm").exists()
