from __future__ import annotations

import errno
import os
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from dcz.converters.arrays import STORABLE
from dcz.converters.convert import convert
from dcz.converters.export import export
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


def test_unknown_ending(container: Path) -> None:
    with pytest.raises(ConversionError, match=r"out\.npz: .*expected \.safetensors, \.pt or \.pth, found \.npz"):
        export(container, container.with_name("out.npz"))


def test_files_are_those_of_the_libraries(container: Path, state: dict[str, Tensor], tmp_path: Path) -> None:
    export(container, tmp_path / "out.safetensors")
    assert (tmp_path / "out.safetensors").read_bytes() == save(state)
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
