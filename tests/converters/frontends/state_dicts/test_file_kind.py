from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dcz.converters.convert import convert, load_source
from dcz.converters.frontends.state_dicts.file_kind import Kind, kind_of
from dcz.dcformat import ConversionError


@pytest.fixture
def net() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2))


def write(net: nn.Module, kind: str, path: Path) -> Path:
    if kind == "program":
        torch.export.save(torch.export.export(net, (torch.zeros(2, 3),)), path)
    elif kind == "script":
        torch.jit.script(net).save(path)
    elif kind == "safetensors":
        save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    return path


@pytest.mark.parametrize("name", ["net.pt", "code.pt2", "net.t7", "net.bin", "net.safetensors", "net.onnx", "net"])
@pytest.mark.parametrize(
    ("written", "kind"),
    [("zip", Kind.TORCH), ("legacy", Kind.TORCH), ("safetensors", Kind.SAFETENSORS), ("program", Kind.PROGRAM)],
)
def test_content_counts_more_than_the_name(net: nn.Module, tmp_path: Path, name: str, written: str, kind: Kind) -> None:
    path = write(net, written, tmp_path / name)
    assert kind_of(path) is kind
    source = load_source(path)
    assert {name: tensor.array.tolist() for name, tensor in source.tensors.items()} == {
        name: value.tolist() for name, value in net.state_dict().items()
    }
    assert (source.graph is not None) == (kind is Kind.PROGRAM)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["net.pt", "net.pt2", "net.onnx"])
def test_torchscript_is_told_whatever_its_name(net: nn.Module, tmp_path: Path, name: str) -> None:
    path = write(net, "script", tmp_path / name)
    with pytest.raises(ConversionError, match=r"net\..*: a TorchScript file holds code.*save model\.state_dict\(\)"):
        load_source(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1\x0d\0\0\0nn.Sequential", "a file of Lua's Torch; .*torchfile"),
        (b"\x03\0\0\0\x01\0\0\0\x02\0\0\0", "a file of Lua's Torch; .*torchfile"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page; download the file itself"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x1f\x8b\x08\x00", "compressed by gzip; unpack it"),
        (b"\x89DCZ\r\n\x1a\n", "a container already; dcz convert takes it"),
        (b"GGUF\x03\x00", "a GGUF file"),
    ],
)
@pytest.mark.parametrize("name", ["net.pt", "net.t7"])
def test_other_files_are_named_with_the_way_out(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConversionError, match=says) as caught:
        convert(tmp_path / name, tmp_path / "out.dcz")
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


def test_bytes_that_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    for data in (b"x", b"PK\x03\x04" + bytes(60), b"hello world\n" * 9, b"\xff" * 8 + b"{", bytes(8)):
        path.write_bytes(data)
        assert kind_of(path) is None
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.npy", b"")
    assert kind_of(path) is None


def test_options_of_state_dicts_name_what_the_file_is(net: nn.Module, tmp_path: Path) -> None:
    path = write(net, "program", tmp_path / "net.pt")
    for option in ("arch", "key"):
        with pytest.raises(ConversionError, match=f"--{option} is for state dicts .*found an exported program"):
            load_source(path, **{option: "alexnet"})
