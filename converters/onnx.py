"""ONNX files: their weights. The graph is not converted yet, so the container that comes of one holds weights only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from ..dcformat import ConversionError, Dense
from ..dcformat.tensors import Array, dtype_name
from .source import Source


def from_onnx(path: Path) -> Source:
    """Read the initializers and the tensors of the Constant nodes.

    Raises
    ------
    ConversionError
        Not an ONNX file, or a tensor of a type that a container cannot hold.
    """
    source = Source({})
    with source.timed("load"):
        try:
            model = onnx.load(path)
        except (DecodeError, onnx.checker.ValidationError, ValueError, OSError) as error:
            raise ConversionError(f"not an ONNX file that can be read: {error}") from error
        source.tensors = {name: _dense(name, array) for name, array in _tensors(model.graph)}
        source.messages += _left_out(model.graph)
    if not source.tensors:
        raise ConversionError("the ONNX file holds no tensors")
    source.messages.append("the graph of ONNX files is not converted yet: the container holds weights only")
    return source


def _tensors(graph: onnx.GraphProto) -> Iterator[tuple[str, Array]]:
    for tensor in graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    yield node.output[0], numpy_helper.to_array(attribute.t)
                elif attribute.name.startswith(("value_float", "value_int")):
                    kind = np.float32 if "float" in attribute.name else np.int64
                    yield node.output[0], np.array(onnx.helper.get_attribute_value(attribute), kind)


def _left_out(graph: onnx.GraphProto) -> Iterator[str]:
    """What `_tensors` passes over: sparse tensors, and all that the branches and bodies of control flow hold."""
    constants = [node for node in graph.node if node.op_type == "Constant"]
    sparse = [tensor.values.name for tensor in graph.sparse_initializer]
    sparse += [node.output[0] for node in constants if any(a.name == "sparse_value" for a in node.attribute)]
    if sparse:
        yield f"left out of the container: sparse tensors, which are not read yet: {', '.join(map(repr, sparse))}"
    inside = [
        node.name or node.op_type for node in graph.node if any(a.HasField("g") or a.graphs for a in node.attribute)
    ]
    if inside:
        yield f"left out of the container: what the graphs inside these nodes hold: {', '.join(map(repr, inside))}"


def _dense(name: str, array: Array) -> Dense:
    if array.dtype.name == "bfloat16":
        return Dense(array.view(np.uint16), "BF16")
    try:
        return Dense(array, dtype_name(array))
    except ValueError as error:
        raise ConversionError(f"tensor {name!r} cannot be stored: {error}") from None
