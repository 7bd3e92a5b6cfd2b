"""Containers that are reported on, and a page about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dcz.dcformat import Dense, Graph, Preprocess, make_node, write
from dcz.reporting import Facts, collect

HOSTILE = "</title><script>fetch('//example.org')</script>\"' onload=x &amp; \u202eevil\x07"
"""A name that would break out of text, attributes and titles, were it not escaped."""


def every_encoding() -> dict[str, np.ndarray | Dense]:
    rng = np.random.default_rng(2)
    kernel = np.where(rng.random((8, 2, 3, 3)) < 0.2, rng.choice([-0.5, 0.25, 0.75], (8, 2, 3, 3)), 0)
    return {
        "conv.weight": kernel.astype(np.float32),
        "conv.bias": rng.normal(size=8).astype(np.float32),
        "fc.weight": rng.choice([-1.5, 0, 1, 2], (3, 128)).astype(np.float32),
        "raw": rng.normal(size=(20, 30)).astype(np.float32),
        "sparse_raw": np.where(rng.random((60, 70)) < 0.1, rng.normal(size=(60, 70)), 0).astype(np.float32),
        "half": rng.choice([-1, 0.5, 2], (40, 50)).astype(np.float16),
        "bf16": Dense(np.full((2, 3), 0x3F80, np.uint16), "BF16"),
        "zeros": np.zeros((40, 50), np.float32),
        "broken": np.array([[np.nan, np.inf], [1, 0]], np.float32),
        "empty": np.zeros((0, 3), np.float32),
        "counter": np.array(7, np.int64),
        "table": np.arange(6, dtype=np.int32).reshape(2, 3),
    }


@pytest.fixture(scope="session")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every encoding, a graph, preprocessing, more labels than are listed, metadata."""
    nodes = (
        make_node("conv2d", (0,), {"weight": "conv.weight", "bias": "conv.bias"}, {"padding": (1, 1)}),
        make_node("max_pool2d", (1,), attrs={"kernel": (2, 2), "stride": (2, 2)}),
        make_node("flatten", (2,)),
        make_node("linear", (3,), {"weight": "fc.weight"}),
    )
    path = tmp_path_factory.mktemp("report") / "all.dcz"
    preprocess = Preprocess(resize=(9, 11), crop=(8, 8), mean=(0.5, 0.25, 0.125))
    labels = [f"class {i}" for i in range(25)]
    metadata = {"source": "a test", "license": "CC0"}
    write(path, Graph((2, 8, 8), nodes, 4), every_encoding(), preprocess=preprocess, labels=labels, metadata=metadata)
    return path


@pytest.fixture(scope="session")
def facts(container: Path) -> Facts:
    """What the page about it tells."""
    return collect(container)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Markup, quotes, control characters and a right-to-left override wherever a container holds text."""
    weight = np.where(np.random.default_rng(1).random((4, 9)) < 0.5, 0, 1).astype(np.float32)
    path = tmp_path_factory.mktemp("hostile") / "<img src=x onerror=alert(1)>.dcz"
    graph = Graph((9,), (make_node("linear", (0,), {"weight": HOSTILE}),), 1)
    write(path, graph, {HOSTILE: weight}, labels=[HOSTILE] * 4, metadata={HOSTILE: HOSTILE, "x": "</style>"})
    return path


@pytest.fixture(scope="session")
def hostile_name() -> str:
    """The name in the container of that name."""
    return HOSTILE
