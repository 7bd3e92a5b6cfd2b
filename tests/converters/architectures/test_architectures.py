"""The named networks: sizes, key names, shapes, and that torch.export takes them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dcz.converters.architectures import ARCHITECTURES

PARAMETERS = {
    "lenet_300_100": 266_610,
    "lenet5_caffe": 431_080,
    "resnet20_cifar": 269_722,
    "resnet32_cifar": 464_154,
    "resnet44_cifar": 658_586,
    "resnet56_cifar": 853_018,
    "resnet110_cifar": 1_727_962,
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
}


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return ARCHITECTURES[name].factory().eval()


def numbers(model: nn.Module) -> int:
    return sum(t.numel() for k, t in model.state_dict().items() if not k.endswith("num_batches_tracked"))


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_parameter_counts(name: str) -> None:
    assert sum(p.numel() for p in on_meta(name).parameters()) == PARAMETERS[name]


def test_vgg16_half_weights() -> None:
    weights = [p.numel() for p in on_meta("vgg16_half").parameters() if p.dim() > 1]
    assert sum(weights) == 3_811_680
    assert len(weights) == 16


def test_vgg19_counts_running_statistics() -> None:
    assert numbers(on_meta("vgg19_bn_cifar")) == 38_969_930


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_forward_shape(name: str) -> None:
    architecture = ARCHITECTURES[name]
    out = on_meta(name)(torch.empty(2, *architecture.input_shape, device="meta"))
    assert out.shape == (2, 1000 if architecture.labels is None else len(architecture.labels))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_preprocess_fits_the_input(name: str) -> None:
    architecture = ARCHITECTURES[name]
    assert architecture.name == name
    preprocess = architecture.preprocess
    assert preprocess is not None
    assert len(preprocess.mean) == architecture.input_shape[0]
    assert (preprocess.crop or preprocess.resize) == architecture.input_shape[1:]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("resnet20_cifar", {"conv1.weight", "layer3.2.bn2.running_var", "layer2.0.conv1.weight", "linear.bias"}),
        ("squeezenet1_0", {"features.0.weight", "features.12.expand3x3.bias", "classifier.1.weight"}),
        ("squeezenet1_1", {"features.0.weight", "features.12.expand3x3.bias", "classifier.1.weight"}),
        ("alexnet", {"features.10.bias", "classifier.1.weight", "classifier.6.bias"}),
        ("vgg16", {"features.28.weight", "classifier.0.weight", "classifier.6.bias"}),
    ],
)
def test_keys_of_published_checkpoints(name: str, keys: set[str]) -> None:
    assert keys <= set(on_meta(name).state_dict())


def test_option_a_shortcut() -> None:
    # With dead convolutions a block is its shortcut: every second pixel, channels padded on both sides.
    block = ARCHITECTURES["resnet20_cifar"].factory().eval().get_submodule("layer2.0")
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 16, 8, 8)
    out = block(x)
    assert out.shape == (1, 32, 4, 4)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


@pytest.mark.parametrize("name", ["lenet_300_100", "lenet5_caffe", "resnet20_cifar", "vgg16_half", "squeezenet1_1"])
def test_exports_with_a_free_batch_axis(name: str) -> None:
    architecture = ARCHITECTURES[name]
    model = architecture.factory().eval()
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (torch.zeros(2, *architecture.input_shape),), dynamic_shapes=shapes)
    x = torch.rand(3, *architecture.input_shape)
    with torch.no_grad():
        assert torch.allclose(program.module()(x), model(x), atol=1e-5)
