from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dcz.converters.arrays import STORABLE
from dcz.converters.convert import convert
from dcz.converters.export import export
from dcz.dcformat import ConversionError, DczError


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


def test_unknown_ending(container: Path) -> None:
    with pytest.raises(ConversionError, match=r"out\.npz: .*expected \.safetensors, \.pt or \.pth, found \.npz"):
        export(container, container.with_name("out.npz"))


def test_a_failure_leaves_the_old_file(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = container.with_name("out.pt")
    out.write_bytes(b"old")
    before = sorted(container.parent.iterdir())

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        export(container, out)
    damaged = container.with_name("x.dcz")
    damaged.write_bytes(container.read_bytes()[:-9])
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
