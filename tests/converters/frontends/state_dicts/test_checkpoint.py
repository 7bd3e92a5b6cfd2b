from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from dcz.converters.frontends.state_dicts.checkpoint import read_safetensors, read_torch
from dcz.dcformat import ConversionError

VALUES: list[Any] = [
    np.float64(91.7),
    np.int32(3),
    np.bool_(True),
    np.str_("best"),
    np.bytes_(b"best"),
    np.complex64(1j),
    np.datetime64("2026-01-01"),
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.ones((2, 3), np.float16)),
    np.array(["cat", "dog"]),
    np.zeros(0),
    argparse.Namespace(lr=0.1, name="x"),
]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{np.ndim(value)}")
def test_harmless_values_beside_the_weights(tmp_path: Path, value: Any, legacy: bool) -> None:
    path = tmp_path / "net.pt"
    torch.save({"w": torch.ones(2), "x": value}, path, _use_new_zipfile_serialization=not legacy)
    read = read_torch(path)
    assert read["w"].tolist() == [1, 1]
    assert type(read["x"]) is type(value)
    assert np.array_equal(read["x"], value) if isinstance(value, np.generic | np.ndarray) else read["x"] == value


def test_arrays_of_objects_stay_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2), "x": np.array([Path.touch], object)}, tmp_path / "net.pt")
    with pytest.raises(ConversionError, match=r"holds Python objects.*found numpy"):
        read_torch(tmp_path / "net.pt")


def test_metadata_of_safetensors(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "a.safetensors", {"format": "pt", "licence": "MIT"})
    tensors, metadata = read_safetensors(tmp_path / "a.safetensors")
    assert list(tensors) == ["w"]
    assert metadata == {"format": "pt", "licence": "MIT"}
    save_file({"w": torch.ones(2)}, tmp_path / "b.safetensors")
    assert read_safetensors(tmp_path / "b.safetensors")[1] == {}


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)
        self.b.weight = self.a.weight


def test_names_that_save_model_left_out_come_back(tmp_path: Path) -> None:
    net = Tied()
    save_model(net, str(tmp_path / "net.safetensors"), {"licence": "MIT"})
    tensors, metadata = read_safetensors(tmp_path / "net.safetensors")
    assert tensors.keys() == net.state_dict().keys()
    assert tensors["a.weight"] is tensors["b.weight"]
    assert metadata == {"licence": "MIT"}
