"""`dcz verify --against`: what it says of right conversions, and of those that differ on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


@pytest.fixture
def masked(checkpoint: Path, tmp_path: Path) -> Path:
    """LeNet-300-100 whose weights were multiplied with masks: negative zeros stay behind."""
    state = torch.load(checkpoint, weights_only=True)
    for name, tensor in state.items():
        if tensor.ndim == 2:
            state[name] = torch.where(tensor == 0, -0.0, tensor)
    torch.save(state, tmp_path / "masked.pt")
    return tmp_path / "masked.pt"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_checkpoint_of_any_floating_point_type(
    dcz: Callable, checkpoint: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    torch.save({name: tensor.to(dtype) for name, tensor in state.items()}, tmp_path / "net.pt")
    assert dcz("convert", tmp_path / "net.pt").code == 0
    result = dcz("verify", tmp_path / "net.dcz", "--against", tmp_path / "net.pt")
    assert result.code == 0
    assert result.out.startswith(f"{tmp_path / 'net.dcz'}: ok, tensors equal bit for bit, answers within ")


def test_positive_zeros_are_ok_and_counted(dcz: Callable, masked: Path) -> None:
    assert dcz("convert", masked, "--positive-zeros").code == 0
    command = ("verify", masked.with_suffix(".dcz"), "--against", masked)
    zeros = sum(int((tensor == 0).sum()) for tensor in torch.load(masked).values() if tensor.ndim == 2)
    result = dcz(*command)
    assert result.code == 0
    assert f": ok, tensors equal but for the sign of {zeros:,} zeros, answers within " in result.out
    found = json.loads(dcz(*command, "--json").out)
    assert (found["ok"], found["problems"], found["tensors_equal"], found["zero_signs"]) == (True, [], False, zeros)


def test_a_lossy_container_fails_with_each_distance(dcz: Callable, checkpoint: Path, tmp_path: Path) -> None:
    assert dcz("convert", checkpoint, "-o", tmp_path / "net.dcz", "--bits", "1").code == 0
    result = dcz("verify", tmp_path / "net.dcz", "--against", checkpoint)
    assert result.code == 1
    lines = result.out.splitlines()
    assert sum("differs by up to" in line and line.endswith(" rms") for line in lines) == 3
    assert "answers differ by" in lines[-1]


@pytest.mark.parametrize("batch", [1, 5])
def test_a_program_of_any_batch_size(dcz: Callable, tmp_path: Path, batch: int) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 4)).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(batch, 2, 4, 4),)), tmp_path / "net.pt2")
    assert dcz("convert", tmp_path / "net.pt2").code == 0
    result = dcz("verify", tmp_path / "net.dcz", "--against", tmp_path / "net.pt2", "--input-shape", "2,4,4")
    assert result.code == 0
    assert "answers within" in result.out


def test_the_input_shape_is_the_containers(dcz: Callable, fails: Callable, checkpoint: Path, tmp_path: Path) -> None:
    assert dcz("convert", checkpoint, "-o", tmp_path / "net.dcz").code == 0
    said = fails("verify", tmp_path / "net.dcz", "--against", checkpoint, "--input-shape", "784")
    assert "net.dcz: the container takes another input shape (expected [1, 28, 28], found [784])" in said


def test_weights_alone_need_no_shape(dcz: Callable, tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(3, 4)}, tmp_path / "a.pt")
    assert dcz("convert", tmp_path / "a.pt").code == 0
    result = dcz("verify", tmp_path / "a.dcz", "--against", tmp_path / "a.pt", "--arch", "nowhere:Net")
    assert (result.code, result.out) == (0, f"{tmp_path / 'a.dcz'}: ok, tensors equal bit for bit\n")
