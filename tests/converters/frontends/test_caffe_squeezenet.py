from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.convert import load_source
from dcz.converters.frontends.caffe_squeezenet import build_graph, from_han, layers
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import ConversionError, infer_shapes

Layers = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def make_layers(density: float = 0.05) -> Layers:
    """Codebook, bias, symbols and gaps of each layer, entries drawn until the layer is full."""
    rng = np.random.default_rng(2)
    made = []
    for _, shape in layers():
        size = prod(shape)
        codebook = rng.normal(size=256).astype("<f4") / np.float32(np.sqrt(size / shape[0]))
        codebook[0] = 0
        gaps = rng.integers(0, 16, int(size * density))
        gaps = gaps[np.cumsum(gaps + 1) <= size]
        symbols = np.where(gaps == 15, 0, rng.integers(1, 256, len(gaps)))
        made.append((codebook, rng.normal(size=shape[0]).astype("<f4"), symbols.astype(np.uint8), gaps))
    return made


def pack(made: Layers) -> bytes:
    parts = [np.array([len(gaps) for *_, gaps in made], "<u4").tobytes()]
    for codebook, bias, symbols, gaps in made:
        even = np.append(gaps, 0)[: len(gaps) + len(gaps) % 2].astype(np.uint8)
        parts += [codebook.tobytes(), bias.tobytes(), symbols.tobytes(), (even[0::2] | even[1::2] << 4).tobytes()]
    return b"".join(parts)


@pytest.fixture(scope="module")
def made() -> Layers:
    return make_layers()


@pytest.fixture
def file(tmp_path: Path, made: Layers) -> Path:
    path = tmp_path / "squeezenet.net"
    path.write_bytes(pack(made))
    return path


def test_tensors_by_a_plain_loop(file: Path, made: Layers) -> None:
    tensors = load_source(file).tensors
    assert any(len(gaps) % 2 for *_, gaps in made)
    for (name, shape), (codebook, bias, symbols, gaps) in zip(layers(), made, strict=True):
        weight = np.zeros(prod(shape), np.float32)
        at = -1
        for symbol, gap in zip(symbols, gaps, strict=True):
            at += gap + 1
            weight[at] = codebook[symbol]
        assert np.array_equal(tensors[f"{name}.weight"].array, weight.reshape(shape))
        assert np.array_equal(tensors[f"{name}.bias"].array, bias)


def test_keys_and_shapes_are_torchvision_s(file: Path) -> None:
    with torch.device("meta"):
        state = ARCHITECTURES["squeezenet1_0"].factory().state_dict()
    tensors = from_han(file).tensors
    assert {name: tensor.shape for name, tensor in tensors.items()} == {n: tuple(v.shape) for n, v in state.items()}


def test_graph_is_squeezenet_with_a_padded_last_convolution(file: Path) -> None:
    source = from_han(file)
    network = ARCHITECTURES["squeezenet1_0"].factory()
    state = {name: torch.from_numpy(tensor.array) for name, tensor in source.tensors.items()}
    network.load_state_dict(state)
    network.classifier[1].padding = (1, 1)
    x = torch.randn(1, 3, 227, 227, generator=torch.Generator().manual_seed(4)) * 50
    with torch.no_grad():
        expected = network.eval()(x)
        torch.testing.assert_close(GraphModule(build_graph(), source.tensors)(x), expected)
    assert infer_shapes(build_graph(), {n: t.shape for n, t in source.tensors.items()})[-1] == (1000,)


def test_says_how_images_go_in_and_what_comes_out(file: Path) -> None:
    source = from_han(file)
    assert source.preprocess is not None
    assert (source.preprocess.mode, source.preprocess.scale, source.preprocess.crop) == ("BGR", 1.0, (227, 227))
    assert source.labels is not None
    assert (len(source.labels), source.labels[285]) == (1000, "Egyptian cat")


@pytest.mark.parametrize("cut", [0, 3, 103, 104, 5000, -1])
def test_truncated(file: Path, cut: int) -> None:
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ConversionError, match="not Song Han's"):
        from_han(file)


def test_too_long_or_other_counts(file: Path) -> None:
    data = file.read_bytes()
    for wrong in (data + b"\0", b"\xff\xff\xff\xff" + data[4:]):
        file.write_bytes(wrong)
        with pytest.raises(ConversionError, match="length"):
            from_han(file)


def test_an_entry_past_the_end(file: Path) -> None:
    made = make_layers(0.001)
    codebook, bias, _, _ = made[1]
    made[1] = (codebook, bias, np.ones(97, np.uint8), np.full(97, 15))
    file.write_bytes(pack(made))
    with pytest.raises(ConversionError, match=r"outside of the layer 'features\.3\.squeeze' .*< 1536, found 1551"):
        from_han(file)
