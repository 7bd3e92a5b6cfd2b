"""Networks of torchvision and timm, with small stand-ins for the two libraries."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import dcz
from dcz.converters.architectures import libraries
from dcz.converters.architectures.libraries import library_architecture, named_in
from dcz.converters.architectures.lookup import build
from dcz.dcformat import ConversionError, Preprocess


def tiny(name: str = "", weights: object = None, pretrained: bool = False) -> nn.Module:
    assert weights is None
    assert not pretrained
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))


class ImageClassification:
    """As torchvision's of that name."""

    crop_size, resize_size, mean, std = [8], [9], [0.5, 0.25, 0.5], [1.0, 2.0, 4.0]
    interpolation = SimpleNamespace(value="bilinear")


def module(name: str, monkeypatch: pytest.MonkeyPatch, **content: Any) -> None:
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None)
    for key, value in content.items():
        setattr(made, key, value)
    monkeypatch.setitem(sys.modules, name, made)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = SimpleNamespace(DEFAULT=SimpleNamespace(transforms=ImageClassification, meta={"categories": list("abc")}))
    boxes = SimpleNamespace(DEFAULT=SimpleNamespace(transforms=lambda: SimpleNamespace(), meta={}))
    models = {"tiny18": weights, "tiny18_boxes": boxes}
    module("torchvision", monkeypatch)
    module(
        "torchvision.models", monkeypatch, get_model=tiny, list_models=lambda: list(models),
        get_model_weights=models.__getitem__,
    )  # fmt: skip
    config = {"input_size": (3, 8, 8), "crop_pct": 0.875, "interpolation": "bicubic", "num_classes": 3}
    config |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    module(
        "timm", monkeypatch, create_model=tiny, list_models=lambda: ["tiny"], is_model=lambda name: name == "tiny",
        get_pretrained_cfg=lambda name: SimpleNamespace(to_dict=lambda: config),
    )  # fmt: skip
    module("timm.data", monkeypatch)


@pytest.mark.usefixtures("installed")
def test_preprocessing_and_labels_are_those_of_the_published_weights() -> None:
    found = library_architecture("torchvision:tiny18")
    assert (found.input_shape, found.labels) == ((3, 8, 8), ("a", "b", "c"))
    assert found.preprocess == Preprocess(resize=9, crop=(8, 8), mean=(0.5, 0.25, 0.5), std=(1.0, 2.0, 4.0))
    found = library_architecture("timm:tiny")
    assert (found.input_shape, found.labels) == ((3, 8, 8), None)
    assert found.preprocess == Preprocess(
        resize=9, crop=(8, 8), interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3
    )


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("stem", "names"),
    [
        ("tiny18-0676ba61", ["torchvision:tiny18"]),
        ("Tiny.a1_in1k", ["timm:tiny"]),
        ("my_tiny18_boxes", ["torchvision:tiny18"]),
        ("tiny180", []),
        ("", []),
    ],
)
def test_networks_that_a_file_is_named_after(stem: str, names: list[str]) -> None:
    assert [architecture.name for architecture in named_in(stem)] == names


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("arch", "told"), [(None, True), ("torchvision:tiny18", False)])
def test_a_checkpoint_of_a_library(tmp_path: Path, arch: str | None, told: bool) -> None:
    path = tmp_path / "tiny18-0676ba61.pth"
    torch.save(tiny().state_dict(), path)
    report = dcz.convert(path, tmp_path / "t.dcz", arch=arch)
    assert ("recognised the architecture torchvision:tiny18" in report.messages) == told
    with dcz.open(tmp_path / "t.dcz") as container:
        assert container.graph is not None
        assert container.labels == ["a", "b", "c"]
        assert container.preprocess is not None
        assert container.preprocess.resize == 9


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("arch", ["torchvision:huge", "timm:huge"])
def test_an_unknown_network_is_refused(arch: str) -> None:
    with pytest.raises(ConversionError, match=r"has no network 'huge'; its networks: \w+\..*list_models"):
        library_architecture(arch)


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(libraries, "import_module", missing)
    with pytest.raises(ConversionError, match=r"needs timm, .*; install it: pip install timm"):
        library_architecture("timm:resnet50")


def test_random_weights_of_a_network_of_a_library_are_not_drawn(installed: None) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    build(library_architecture("timm:tiny"))
    assert torch.equal(torch.get_rng_state(), before)
    tiny()
    assert not torch.equal(torch.get_rng_state(), before)
