"""Small ONNX models, and the question whether the graph that dcz makes of one answers as ONNX Runtime does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.converters.frontends.onnx_files.program import build
from dcz.converters.frontends.onnx_files.session import Session
from dcz.converters.frontends.source import Source
from dcz.converters.torch.module import GraphModule
from dcz.dcformat.tensors import Array

IR_VERSION = 8
"""Of files since 2021: every ONNX Runtime reads it."""


def node(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> NodeProto:
    """A node whose inputs and outputs are names with blanks between; ``_`` is an input that is left out."""
    return helper.make_node(op, ["" if name == "_" else name for name in inputs.split()], outputs.split(), **attributes)


def save(
    path: Path,
    nodes: Sequence[NodeProto],
    constants: Mapping[str, Array] | None = None,
    shape: Sequence[int | str] = ("N", 4, 9, 11),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Write a model with the input ``x`` and the output ``y``."""
    ends = [
        helper.make_tensor_value_info("x", kind, shape),
        onnx.ValueInfoProto(name="y", type=onnx.TypeProto(tensor_type=onnx.TypeProto.Tensor(elem_type=kind))),
    ]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION), path)
    return path


def weights(*shape: int, seed: int = 0) -> Array:
    """Weights that do not let a mistake go unseen."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def agrees(path: Path, input_shape: Sequence[int] | None = None, samples: int = 3, tolerance: float = 1e-5) -> Source:
    """Read a model, and check that its graph answers as ONNX Runtime does."""
    source = from_onnx(path, tuple(input_shape) if input_shape else None)
    assert source.graph is not None
    x = torch.from_numpy(np.random.default_rng(1).normal(0, 3, (samples, *source.graph.input_shape)).astype(np.float32))
    batches = x.split(source.batch or samples)
    session = Session(path)
    (expected,) = zip(*(session(batch) for batch in batches), strict=True)
    found = GraphModule(source.graph, source.tensors)(x)
    wanted = torch.cat(expected)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance * float(wanted.abs().max()))
    return source


def ops(source: Source) -> list[str]:
    """Names of the operators of a source's graph."""
    assert source.graph is not None
    return [item.op for item in source.graph.nodes]


def translates(path: Path, *inputs: Array, tolerance: float = 1e-5) -> None:
    """Check that the program of torch's that a model becomes answers as ONNX Runtime does, traced or not."""
    model = onnx.load(path)
    network, _ = build(model, path.parent)
    tensors = [torch.from_numpy(array) for array in inputs]
    expected = Session(path)(*tensors)
    with torch.no_grad():
        found = network(*tensors)
    for own, wanted in zip(found if isinstance(found, tuple) else [found], expected, strict=True):
        assert own.shape == wanted.shape
        torch.testing.assert_close(own, wanted, rtol=tolerance, atol=tolerance * max(float(wanted.abs().max()), 1))
