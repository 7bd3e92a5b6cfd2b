"""Compiled models that several tests share: kernels take seconds to compile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_models import Compiled, compiled

from dcz.dcformat import Graph, Input, Output, make_node, write


@pytest.fixture(scope="session")
def small(small_container: Path, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(small_container, tmp_path_factory.mktemp("small_aot"))


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """A network of two inputs, one of row numbers, and two outputs."""
    folder = tmp_path_factory.mktemp("several_aot")
    tensors = {"table": np.random.default_rng(4).normal(size=(5, 4)).astype(np.float32)}
    nodes = (make_node("embedding", (0,), {"weight": "table"}), make_node("add", (2, 1)))
    inputs = Input((3,), "word ids", "I64"), Input((3, 4), "bias")
    graph = Graph(inputs, nodes, (Output(2, "rows"), Output(3, "sums")))
    write(folder / "several.dcz", graph, tensors)
    return compiled(folder / "several.dcz", folder)
