from __future__ import annotations

import errno
import logging
import os
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save, save_file, save_model
from torch import Tensor, nn

import dcz
from dcz.converters import compare
from dcz.converters.convert import convert
from dcz.converters.export import export
from dcz.converters.frontends.arrays import STORABLE
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import ConversionError, DczError, write


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(2)
    sparse = torch.where(torch.rand(20, 30) < 0.2, torch.randint(1, 9, (20, 30)) / 8, 0.0)
    return {f"module.{dtype}": torch.rand(3, 4).mul(5).to(dtype) for dtype in STORABLE} | {
        "sparse": sparse,
        "sparse half": sparse.half(),
        "sparse brain": sparse.bfloat16(),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 4),
        "minus zero": torch.tensor([-0.0, 0.0, -1.0]),
    }


@pytest.fixture
def container(state: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "in.pt")
    convert(tmp_path / "in.pt", tmp_path / "x.dcz")
    return tmp_path / "x.dcz"


@pytest.mark.parametrize("ending", [".safetensors", ".pt", ".pth", ".PT"])
def test_the_same_names_types_and_bits(container: Path, state: dict[str, Tensor], ending: str) -> None:
    out = container.with_name(f"out{ending}")
    export(container, str(out))
    back = load_file(out) if ending == ".safetensors" else torch.load(out, weights_only=True)
    assert set(back) == set(state)
    for name, tensor in state.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape)
        assert bytes(back[name].clone().untyped_storage()) == bytes(tensor.untyped_storage()), name


def test_converting_what_was_exported_gives_the_same_file(container: Path) -> None:
    export(container, container.with_name("out.pt"))
    convert(container.with_name("out.pt"), container.with_name("again.dcz"))
    assert container.with_name("again.dcz").read_bytes() == container.read_bytes()


class Twice(nn.Module):
    """A layer under two names, and a weight that two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.again = self.first
        self.other = nn.Linear(6, 6)
        self.other.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.other(torch.relu(self.again(torch.relu(self.first(x)))))


def test_tied_tensors_come_back_tied(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(1)
    net, out = Twice().eval(), tmp_path / "net.dcz"
    torch.save(net.state_dict(), tmp_path / "net.pt")
    save_model(net, str(tmp_path / "net.safetensors"))
    torch.export.save(torch.export.export(net, (torch.zeros(2, 6),)), tmp_path / "net.pt2")
    tied = {"again.weight": "first.weight", "again.bias": "first.bias", "other.weight": "first.weight"}
    models = [net, *(tmp_path / f"net{ending}" for ending in (".pt", ".safetensors", ".pt2"))]
    for model in models:
        report = convert(model, out, input_shape=(6,) if isinstance(model, nn.Module) else None)
        assert report.lossless
        names = {name: report.info["tied"].get(name, name) for name in net.state_dict()}
        assert len(set(names.values())) == 3
        assert all(names[name] == names[stored] for name, stored in tied.items())
        assert sum(len(t["shape"]) == 2 for t in report.info["tensors"]) == 1

        export(out, tmp_path / "back.pt")
        back = torch.load(tmp_path / "back.pt", weights_only=True)
        assert back.keys() == net.state_dict().keys()
        assert all(back[name].data_ptr() == back[stored].data_ptr() for name, stored in tied.items())
        assert back["other.bias"].data_ptr() != back["first.bias"].data_ptr()
        again = Twice()
        again.load_state_dict(back)
        assert torch.equal(again(torch.ones(1, 6)), net(torch.ones(1, 6)))

        with caplog.at_level(logging.INFO, "dcz"):
            export(out, tmp_path / "back.safetensors")
        assert "stored under their first names alone" in caplog.text
        load_model(again := Twice(), str(tmp_path / "back.safetensors"))
        assert torch.equal(again(torch.ones(1, 6)), net(torch.ones(1, 6)))
        assert convert(tmp_path / "back.safetensors", tmp_path / "again.dcz").info["tied"] == report.info["tied"]


def test_tied_tensors_are_pruned_and_shared_together(tmp_path: Path) -> None:
    net = Twice().eval()
    report = convert(net, tmp_path / "net.dcz", input_shape=(6,), prune="percent:50", bits=2)
    assert len(report.info["tied"]) == 3
    assert max(tensor["max_error"] for tensor in report.to_json()["tensors"]) > 0
    x = np.ones((1, 6), np.float32)
    export(tmp_path / "net.dcz", tmp_path / "back.pt")
    net.load_state_dict(torch.load(tmp_path / "back.pt", weights_only=True))
    np.testing.assert_allclose(dcz.load(tmp_path / "net.dcz")(x), net(torch.from_numpy(x)).detach(), rtol=1e-5)


def test_a_container_from_before_still_agrees_with_tied_weights(tmp_path: Path) -> None:
    """As 0.2.0 stored them: twice."""
    net = Twice().eval()
    graph = from_module(net, (6,)).graph
    write(tmp_path / "old.dcz", graph, {name: value.numpy().copy() for name, value in net.state_dict().items()})
    torch.save(net.state_dict(), tmp_path / "net.pt")
    assert compare(tmp_path / "old.dcz", tmp_path / "net.pt").tensors_equal
    convert(net, tmp_path / "new.dcz", input_shape=(6,))
    save_file({name: value.clone() for name, value in net.state_dict().items()}, tmp_path / "apart.safetensors")
    assert compare(tmp_path / "new.dcz", tmp_path / "apart.safetensors").tensors_equal


def test_metadata_of_safetensors_come_back(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "a.safetensors", {"format": "pt", "licence": "MIT", "ünï": "\n"})
    save_file({"w": torch.ones(2)}, tmp_path / "b.safetensors", {"format": "pt"})
    save_file({"w": torch.ones(2)}, tmp_path / "c.safetensors", {"format": "np"})
    save_file({"w": torch.ones(2)}, tmp_path / "d.safetensors")
    back = {}
    for name in "abcd":
        report = convert(tmp_path / f"{name}.safetensors")
        export(report.path, tmp_path / "back.safetensors")
        with safe_open(tmp_path / "back.safetensors", "pt") as file:
            back[name] = file.metadata()
        assert "format" not in report.info["metadata"] or name == "c"
    assert back == {
        "a": {"format": "pt", "licence": "MIT", "ünï": "\n"},
        "b": {"format": "pt"},
        "c": {"format": "np"},
        "d": {"format": "pt"},
    }
    assert (tmp_path / "b.dcz").read_bytes() == (tmp_path / "d.dcz").read_bytes()


def test_unknown_ending(container: Path) -> None:
    with pytest.raises(
        ConversionError, match=r"out\.npz: .*expected \.safetensors, \.pt, \.pth, \.onnx, \.pt2, found \.npz"
    ):
        export(container, container.with_name("out.npz"))


def test_files_are_those_of_the_libraries(container: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    export(container, tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == save(state, {"format": "pt"})
    export(container, tmp_path / "out.pt")
    with zipfile.ZipFile(tmp_path / "out.pt") as ours, zipfile.ZipFile(tmp_path / "in.pt") as theirs:
        assert ours.testzip() is None
        for record in ours.infolist():
            assert ours.read(record) == theirs.read(record.filename.replace("archive/", "in/", 1)), record.filename
    mapped = torch.load(tmp_path / "out.pt", weights_only=True, mmap=True)
    assert {tensor.data_ptr() % 64 for tensor in mapped.values() if tensor.numel()} == {0}
    assert all(torch.equal(mapped[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_zeros_are_written_without_being_in_memory(tmp_path: Path, ending: str) -> None:
    # Plain zeros make a small file hold many more; `write` stores those plainly that are too many.
    zeros = {"zeros": np.zeros((1, 1 << 23), np.float32), "plain": np.ones(1 << 10, np.float32)}
    write(tmp_path / "zeros.dcz", None, zeros)
    export(tmp_path / "zeros.dcz", tmp_path / f"first{ending}")  # what is made once
    tracemalloc.start()
    try:
        export(tmp_path / "zeros.dcz", tmp_path / f"out{ending}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * zeros["zeros"].nbytes


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")
@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_a_full_disk_is_named_and_leaves_the_old_file(container: Path, ending: str) -> None:
    import resource

    out = container.with_name(f"out{ending}")
    out.write_bytes(b"old")
    before = sorted(container.parent.iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limit[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as raised:
            export(container, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert raised.value.filename == str(out)
    assert out.read_bytes() == b"old"
    assert sorted(container.parent.iterdir()) == before


def test_a_damaged_container_leaves_the_old_file(container: Path) -> None:
    out = container.with_name("out.pt")
    out.write_bytes(b"old")
    damaged = container.with_name("x.dcz")
    damaged.write_bytes(container.read_bytes()[:-9])
    before = sorted(container.parent.iterdir())
    with pytest.raises(DczError):
        export(damaged, out)
    assert out.read_bytes() == b"old"
    assert sorted(container.parent.iterdir()) == before


def test_a_full_disk_is_named(tmp_path: Path, disk_with_room_for: Callable[[int], None]) -> None:
    torch.save({"weight": torch.zeros(100_000)}, tmp_path / "in.pt")
    convert(tmp_path / "in.pt", tmp_path / "x.dcz")
    disk_with_room_for(50_000)
    for ending in (".pt", ".safetensors"):  # torch raises a RuntimeError of its own
        with pytest.raises(OSError, match=f"File too large.*out{ending}'$"):
            export(tmp_path / "x.dcz", tmp_path / f"out{ending}")
    assert not list(tmp_path.glob("*out*"))
