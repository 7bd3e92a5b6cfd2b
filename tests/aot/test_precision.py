"""Compiled models of 8-bit and 16-bit integers answer bit for bit as the runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_models import Compiled, compiled

import dcz
from dcz.aot.compile import compile_model
from dcz.aot.native import NativeModel
from dcz.aot.targets import TARGETS, find_target
from dcz.core.errors import InputError
from dcz.dcformat import Graph, Quantization, Range, make_node, write

IMAGES = np.random.default_rng(6).normal(size=(2, 8, 14, 14)).astype(np.float32)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution and a pool, with ranges."""
    rng, path = np.random.default_rng(7), tmp_path_factory.mktemp("precisions") / "net.dcz"
    weight = rng.normal(size=(16, 8, 3, 3)).astype(np.float32)
    weight[rng.random(weight.shape) < 0.6] = 0
    nodes = (
        make_node("conv2d", (0,), {"weight": "w"}, {"padding": (1, 1)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), attrs={"kernel": (2, 2), "stride": (2, 2)}),
    )
    sums = Range(0.0625, 0)
    scales = np.abs(weight).max(axis=(1, 2, 3)) / np.float32(127)
    write(
        path,
        Graph((8, 14, 14), nodes, 3, Quantization({0: Range(0.03125, 128), 2: sums, 3: sums}, {"w": scales})),
        {"w": weight},
    )
    return path


@pytest.fixture(scope="module")
def in_bytes(container: Path) -> Compiled:
    return compiled(container, container.parent, precision="u8")


def test_bytes(in_bytes: Compiled) -> None:
    model, native = dcz.load(in_bytes.container, threads=1, precision="u8"), in_bytes.load()
    kernels = [layer["kernel"] for layer in model.stats["layers"]]
    assert kernels == ["quantize", "conv_bytes_sparse", "max_pool_bytes", "dequantize"]
    np.testing.assert_array_equal(native(IMAGES), model(IMAGES))
    assert native.facts["precision"] == "u8"


def test_bytes_by_other_instructions(in_bytes: Compiled, tmp_path: Path) -> None:
    """The lowest level sums products of words, and rounds in another way."""
    if find_target("native").name not in [*TARGETS][1:4]:
        pytest.skip("there is no level below this machine's")
    compile_model(in_bytes.container, tmp_path / "low.so", target="x86-64-v2", precision="u8")
    np.testing.assert_array_equal(NativeModel(tmp_path / "low.so")(IMAGES), in_bytes.load()(IMAGES))


def test_words(container: Path, tmp_path: Path) -> None:
    compile_model(container, tmp_path / "words.so", precision="s16")
    model, native = dcz.load(container, threads=1, precision="s16"), NativeModel(tmp_path / "words.so")
    assert model.stats["layers"][0]["kernel"] == "conv_words_sparse"
    np.testing.assert_array_equal(native(IMAGES), model(IMAGES))
    assert native.facts["precision"] == "s16"


def test_a_container_without_ranges(small_container: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no ranges for 8-bit integers; find them: dcz calibrate"):
        compile_model(small_container, tmp_path / "m.o", precision="u8")
