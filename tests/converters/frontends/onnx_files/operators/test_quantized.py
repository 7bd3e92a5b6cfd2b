from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import agrees, node, save, weights

from dcz.converters.convert import convert
from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.dcformat import UnsupportedOpError, open

RNG = np.random.default_rng(0)
BYTES = np.clip(np.round(RNG.normal(0, 20, (64, 4, 3, 3))), -128, 127).astype(np.int8)


@pytest.mark.parametrize("channels", [1, 64])
def test_weights_are_dequantized_exactly_and_stay_small(tmp_path: Path, channels: int) -> None:
    """A codebook, and where each channel has a scale of its own, that beside it."""
    scale = RNG.uniform(0.001, 0.1, channels).astype(np.float32)
    zero = RNG.integers(-3, 3, channels).astype(np.int8)
    constants = {"q": BYTES, "s": scale if channels > 1 else scale[0], "z": zero if channels > 1 else zero[0]}
    nodes = [node("DequantizeLinear", "q s z", "w", axis=0), node("Conv", "x w")]
    source = agrees(save(tmp_path / "net.onnx", nodes, constants))
    (tensor,) = source.tensors.values()
    shape = (channels, 1, 1, 1)
    expected = (BYTES.astype(np.float32) - zero.astype(np.float32).reshape(shape)) * scale.reshape(shape)
    assert tensor.array.tobytes() == expected.tobytes()
    convert(tmp_path / "net.onnx", tmp_path / "net.dcz")
    with open(tmp_path / "net.dcz") as container:
        (entry,) = container.entries.values()
    assert ("scaled" in entry.encoding.value) == (channels > 1)


def test_weights_that_are_rounded_in_the_graph(tmp_path: Path) -> None:
    constants = {"w": weights(6, 4, 3, 3), "s": np.float32(0.05), "z": np.int8(2)}
    nodes = [node("QuantizeLinear", "w s z", "q"), node("DequantizeLinear", "q s z", "v"), node("Conv", "x v")]
    agrees(save(tmp_path / "net.onnx", nodes, constants))


def test_activations_are_refused(tmp_path: Path) -> None:
    constants = {"s": np.float32(0.05), "z": np.int8(2)}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z")]
    with pytest.raises(UnsupportedOpError, match=r"QuantizeLinear: rounds activations to 8 bits.*--bits 8"):
        from_onnx(save(tmp_path / "net.onnx", nodes, constants))
