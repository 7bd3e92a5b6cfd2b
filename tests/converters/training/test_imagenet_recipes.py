"""The recipes for ImageNet, on a handful of made-up pictures and networks of a 16th of the width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import dcz
from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.training.pipeline import compress
from dcz.converters.training.recipe import load_recipe


def thin(model: nn.Module) -> nn.Module:
    """A network with the same layers, but a 16th of the channels and features."""
    for sequence in (model.get_submodule("features"), model.get_submodule("classifier")):
        assert isinstance(sequence, nn.Sequential)
        for i, layer in enumerate(sequence):
            if isinstance(layer, nn.Conv2d):
                channels = layer.in_channels if layer.in_channels == 3 else layer.in_channels // 16
                size, stride, padding = layer.kernel_size, layer.stride, layer.padding
                sequence[i] = nn.Conv2d(channels, layer.out_channels // 16, size, stride, padding)  # type: ignore[arg-type]
            elif isinstance(layer, nn.Linear):
                classes = layer.out_features if layer.out_features == 1000 else layer.out_features // 16
                sequence[i] = nn.Linear(layer.in_features // 16, classes)
    return model


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 1)):
        for label in ("n01", "n02"):
            (tmp_path / part / label).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (240, 300, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / label / f"{i}.png")
    with torch.device("meta"):
        model = ARCHITECTURES[name].factory()
    monkeypatch.setitem(ARCHITECTURES, name, replace(ARCHITECTURES[name], factory=lambda: thin(model)))
    recipe = load_recipe(name)
    stages = tuple(replace(s, settings=replace(s.settings, epochs=1, batch=2)) for s in recipe.stages)
    report = compress(tmp_path, tmp_path / "net.dcz", replace(recipe, stages=stages, validation=2))
    assert [stage.stage for stage in report.stages] == ["1 train", "2 prune", "3 share"]
    wanted = stages[1].layers
    with dcz.open(tmp_path / "net.dcz") as container:
        rows = {row["name"]: row for row in container.info()["tensors"]}
        for layer, density in wanted.items():
            row = rows[f"{layer}.weight"]
            assert row["nnz"] == round(density * np.prod(row["shape"]))
            assert row["codebook_size"] <= (32 if len(row["shape"]) == 2 else 256) + 1
