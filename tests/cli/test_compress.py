"""dcz compress: a tiny recipe through the command line, and what it refuses."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from dcz.cli import main

RECIPE = """
arch = "lenet_300_100"
validation = 50
[[stage]]
do = "train"
epochs = 1
batch = 50
lr = 0.05
[[stage]]
do = "share"
bits = "3"
epochs = 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 250), ("t10k", 60)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = rng.integers(0, 20, (count, 28, 28), dtype=np.uint8)
        images[np.arange(count), 2 * labels + 3] += 200
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (tmp_path / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def arguments(folder: Path, arch: str = "lenet_300_100") -> list[str]:
    recipe = str(folder / "recipe.toml")
    return ["compress", "--arch", arch, "--data", str(folder), "--recipe", recipe, "-o", str(folder / "net.dcz")]


def test_table_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments(folder), "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "2 share" in printed
    assert "of 60 test pictures right" in printed
    assert main([*arguments(folder), "--json"]) == 0  # finds both stages done
    report = json.loads(capsys.readouterr().out)
    assert report["stages"][1]["file_bytes"] == (folder / "net.dcz").stat().st_size
    assert (folder / "net.work" / "2-share.pt").exists()


@pytest.mark.parametrize(
    ("arch", "old", "new", "message"),
    [
        ("lenet5_caffe", "", "", "the recipe is for another network (expected lenet5_caffe, found lenet_300_100)"),
        ("lenet_300_100", "epochs = 0", "epoch = 0", "unknown key 'epoch' (stage 2"),
    ],
)
def test_refuses_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arch: str, old: str, new: str, message: str
) -> None:
    (folder / "recipe.toml").write_text(RECIPE.replace(old, new) if old else RECIPE)
    assert main(arguments(folder, arch)) == 1
    error = capsys.readouterr().err
    assert error.startswith("dcz: error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (folder / "net.dcz").exists()


def test_a_recipe_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(folder / "recipe.toml")
    assert main([*arguments(folder)[:-1], recipe]) == 1
    assert "take the place of what it is made of" in capsys.readouterr().err
    assert (folder / "recipe.toml").read_text() == RECIPE


OWN = """
from torch import nn
def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
"""


def test_a_network_of_ones_own(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own_linear.py").write_text(OWN)
    (folder / "recipe.toml").write_text(RECIPE.replace('arch = "lenet_300_100"', ""))
    monkeypatch.chdir(folder)
    assert main([*arguments(folder, "own_linear:make"), "--input-shape", "1,28,28"]) == 0
    assert "of 60 test pictures right" in capsys.readouterr().out


def test_a_network_of_another_input(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own_linear.py").write_text(OWN)
    (folder / "recipe.toml").write_text(RECIPE.replace('arch = "lenet_300_100"', ""))
    monkeypatch.chdir(folder)
    assert main([*arguments(folder, "own_linear:make"), "--input-shape", "1,32,32"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("dcz: error: own_linear:make fails on an input of shape (1, 1, 32, 32): RuntimeError: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("wrong", ["28,28", "image:1,28,28", "1,28,28:int64"])
def test_an_input_is_a_picture(folder: Path, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    assert main([*arguments(folder, "own_linear:make"), "--input-shape", wrong]) == 2
    assert "expected C,H,W, for example 3,32,32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "new", "message"),
    [
        ('bits = "3"', 'bits = "fc9=3"', "{folder}/recipe.toml: the network has no layer 'fc9' (stage 2, 'share', "),
        ("lr = 0.05", "lr = 1e30", "the loss is not finite (1 train, epoch 1, step "),
    ],
)
def test_a_run_that_fails_keeps_the_older_file(
    folder: Path, capsys: pytest.CaptureFixture[str], changed: str, new: str, message: str
) -> None:
    (folder / "net.dcz").write_bytes(b"older")
    (folder / "recipe.toml").write_text(RECIPE.replace(changed, new))
    assert main(arguments(folder)) == 1
    error = capsys.readouterr().err
    assert f"dcz: error: {message.format(folder=folder)}" in error
    assert error.count("\n") == 1
    assert (folder / "net.dcz").read_bytes() == b"older"


def test_a_model_is_a_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", "net.pt", "--data", str(folder), "-o", str(folder / "net.dcz")]) == 1
    assert "net.pt: not a program of torch.export (expected MODEL.pt2)" in capsys.readouterr().err
