"""`info`, `verify` and `export`: what they say of good containers and of bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

import dcz as package
from dcz.dcformat import write

INFO_KEYS = {
    "format_version", "file_bytes", "dense_bytes", "ratio", "ratio_course", "ratio_paper", "input_shape", "nodes",
    "tensors", "bytes",
}  # fmt: skip
TENSOR_KEYS = {
    "name", "shape", "nnz", "density", "encoding", "codebook_size", "gap_bits", "bits_per_symbol", "bits_per_gap",
    "bytes",
}  # fmt: skip


def test_info_json(dcz: Callable, small_container: Path) -> None:
    info = json.loads(dcz("info", small_container, "--json").out)
    assert set(info) >= INFO_KEYS
    assert all(set(tensor) >= TENSOR_KEYS for tensor in info["tensors"])
    assert all(set(tensor["bytes"]) >= {"codebook", "tables", "gaps", "symbols"} for tensor in info["tensors"])
    assert info["file_bytes"] == small_container.stat().st_size
    assert info["dense_bytes"] == 4 * (4 * 9 + 4 + 3 * 64)
    assert info["ratio"] == pytest.approx(info["dense_bytes"] / info["file_bytes"])
    assert info["input_shape"] == [1, 8, 8]
    assert [tensor["name"] for tensor in info["tensors"]] == ["conv.weight", "conv.bias", "fc.weight"]


def test_info_text(dcz: Callable, small_container: Path) -> None:
    lines = dcz("info", small_container).out.splitlines()
    assert lines[0].startswith(f"{small_container}: format 1.")
    table = lines[2:6]
    assert [line.split()[0] for line in table] == ["tensor", "conv.weight", "fc.weight", "1"]
    assert table[2].split()[1] == "3x64"
    assert f"{small_container.stat().st_size:,} of" in lines[-2]
    assert "conv.bias" in dcz("info", "-v", small_container).out


def test_info_of_the_manifest_alone(dcz: Callable, small_container: Path) -> None:
    whole = json.loads(dcz("info", small_container, "--json").out)
    for place in (small_container, f"file://{small_container}"):
        options = [] if place != small_container else ["--manifest"]
        outline = json.loads(dcz("info", place, "--json", *options).out)
        assert set(outline) == set(whole) - {"bytes", "labels", "ratio_course", "ratio_paper"}
        assert outline["tensors"][0] == {
            "name": "conv.weight",
            "shape": [4, 1, 3, 3],
            "dtype": "F32",
            "encoding": "shared",
        }
        lines = dcz("info", place, *options).out.splitlines()
        assert [line.split() for line in lines[2:4]] == [
            ["tensor", "shape", "type", "encoding"],
            ["conv.weight", "4x1x3x3", "F32", "shared"],
        ]
        assert lines[-1].startswith("ratio ")


def test_info_of_weights_alone(dcz: Callable, tmp_path: Path) -> None:
    write(tmp_path / "w.dcz", None, {"a": np.float32(3).reshape(()), "b": np.zeros((0, 4), np.int32)})
    result = dcz("info", "-v", tmp_path / "w.dcz")
    assert result.code == 0
    assert "weights only" in result.out
    assert "scalar" in result.out


def test_verify_of_a_good_file(dcz: Callable, small_container: Path) -> None:
    assert dcz("verify", small_container) == (0, f"{small_container}: ok\n", "")
    result = dcz("verify", small_container, "--json")
    assert json.loads(result.out) == {"ok": True, "problems": [], "tensors_equal": None, "max_output_error": None}


def test_verify_finds_a_flipped_bit_and_says_where(dcz: Callable, small_container: Path, tmp_path: Path) -> None:
    content = bytearray(small_container.read_bytes())
    content[-1] ^= 1
    path = tmp_path / "flipped.dcz"
    path.write_bytes(content)
    result = dcz("verify", path, "--json")
    found = json.loads(result.out)
    assert (result.code, found["ok"]) == (1, False)
    assert found["problems"]
    text = dcz("verify", path)
    assert text.code == 1
    assert "flipped.dcz" in text.out
    assert "Traceback" not in text.err


@pytest.mark.parametrize("kept", [0, 10, 30, -1], ids=["nothing", "half a header", "half a manifest", "but a byte"])
def test_verify_says_in_json_too_that_a_file_is_cut_short(
    dcz: Callable, small_container: Path, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "cut.dcz"
    path.write_bytes(small_container.read_bytes()[:kept])
    result = dcz("verify", path, "--json")
    found = json.loads(result.out)
    (problem,) = found.pop("problems")
    assert (result.code, result.err) == (1, "")
    assert found == {"ok": False, "tensors_equal": None, "max_output_error": None}
    assert "cut.dcz" not in problem
    assert dcz("verify", path) == (1, f"{path}: {problem}\n", "")


@pytest.mark.parametrize("command", ["info", "verify", "export", "infer"])
@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "text", "truncated"])
def test_bad_containers(
    dcz: Callable, small_container: Path, pictures: Path, tmp_path: Path, command: str, kind: str
) -> None:
    path = tmp_path / "bad.dcz"
    content = small_container.read_bytes()
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"hello\n" * 40, "truncated": content[: len(content) * 2 // 3]}[kind])
    target = tmp_path / "out.pt"
    extra = {"export": ["-o", target], "infer": [pictures]}.get(command, [])
    result = dcz(command, path, *extra)
    said = result.out + result.err
    assert result.code == 1
    assert said.count("\n") == 1
    assert "bad.dcz" in said
    assert "Traceback" not in said
    assert "bug in dcz" not in said
    assert not target.exists()


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_export_gives_the_weights_back(dcz: Callable, small_container: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"out{ending}"
    result = dcz("export", small_container, "-o", target)
    assert (result.code, result.err) == (0, "")
    assert str(target) in result.out
    if ending == ".pt":
        back = {name: tensor.numpy() for name, tensor in torch.load(target, weights_only=True).items()}
    else:
        back = safetensors.numpy.load_file(target)
    with package.open(small_container) as container:
        assert list(back) == list(container.entries) or set(back) == set(container.entries)
        assert all(np.array_equal(back[name], container.tensor(name)) for name in back)


@pytest.mark.parametrize("target", ["out.npz", "missing/out.pt", "out"])
def test_export_refuses_targets(fails: Callable, small_container: Path, tmp_path: Path, target: str) -> None:
    assert target.split("/")[0] in fails("export", small_container, "-o", tmp_path / target)
    assert not list(tmp_path.iterdir())


def damaged(content: bytes) -> list[bytes]:
    """A container cut at each length, and with a bit of each byte flipped."""
    flipped = [content[:i] + bytes([content[i] ^ (1 << i % 8)]) + content[i + 1 :] for i in range(len(content))]
    return [content[:i] for i in range(len(content))] + flipped


def test_verify_finds_every_cut_and_every_flipped_byte(dcz: Callable, small_container: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.dcz"
    for content in damaged(small_container.read_bytes()):
        path.write_bytes(content)
        result = dcz("verify", path)
        said = result.out + result.err
        assert result.code == 1
        assert said.startswith((f"{path}: ", f"dcz: error: {path}: "))
        assert "bug in dcz" not in said
