"""Fixtures shared by tests of several folders; the oracle of all operators (`reference`) is a module beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# How long an example takes depends on the machine, and on whether it is the first to compile a kernel.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# `benchmarks` is not installed: it is found in the checkout, after everything that is.
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]


@pytest.fixture(scope="session")
def small_container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A container of a few hundred weights, written without torch: grey 8x8 images to three classes."""
    from dcz.dcformat import Graph, Preprocess, make_node, write

    rng = np.random.default_rng(7)
    kernel = np.where(rng.random((4, 1, 3, 3)) < 0.5, 0, rng.choice([-0.5, 0.25, 0.75], (4, 1, 3, 3)))
    tensors = {
        "conv.weight": kernel.astype(np.float32),
        "conv.bias": rng.normal(size=4).astype(np.float32),
        "fc.weight": np.where(rng.random((3, 64)) < 0.7, 0, rng.choice([-1, 1], (3, 64))).astype(np.float32),
    }
    nodes = (
        make_node("conv2d", (0,), {"weight": "conv.weight", "bias": "conv.bias"}, {"padding": (1, 1)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), attrs={"kernel": (2, 2), "stride": (2, 2)}),
        make_node("flatten", (3,)),
        make_node("linear", (4,), {"weight": "fc.weight"}),
    )
    path = tmp_path_factory.mktemp("small") / "small.dcz"
    preprocess = Preprocess(mode="L", resize=(8, 8), mean=(0.5,), std=(0.25,))
    write(path, Graph((1, 8, 8), nodes, 5), tensors, preprocess=preprocess, labels=["cat", "dog", "owl"])
    return path


@pytest.fixture
def disk_with_room_for() -> Iterator[Callable[[int], None]]:
    """Call it with the bytes that a file may have for the rest of the test: to writes, a disk that becomes full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
