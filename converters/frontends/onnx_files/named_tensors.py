"""All tensors of an ONNX file: in its graph, in subgraphs of its nodes, in functions, in attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, SparseTensorProto, TensorProto, helper, numpy_helper

Named: TypeAlias = tuple[str, TensorProto | SparseTensorProto]

ML_DOMAIN = "ai.onnx.ml"
"""Domain of classical models (linear models, trees, support vectors). Their weights are attributes: lists of floats."""


def named_tensors(model: onnx.ModelProto) -> Iterator[Named]:
    """Every tensor of a model, under a unique name.

    Parameters
    ----------
    model : onnx.ModelProto

    Yields
    ------
    name : str
        In the main graph: the name of the initializer, or of the Constant node's output. Elsewhere, with the path to
        it: ``my.Block.w`` in a function of the domain ``my``, ``choice.then_branch.w`` in the branch of a node,
        ``node.attribute`` for a tensor that is an attribute. A duplicate name gets a number.
    tensor : TensorProto or SparseTensorProto
        Initializers first, then by node.
    """
    taken = set[str]()
    for name, tensor in _of_model(model):
        unique, count = name, 2
        while unique in taken:
            unique, count = f"{name}.{count}", count + 1
        taken.add(unique)
        yield unique, tensor


def _of_model(model: onnx.ModelProto) -> Iterator[Named]:
    yield from _of_graph(model.graph, "")
    for function in model.functions:
        prefix = ".".join(part for part in (function.domain, function.name, function.overload) if part) + "."
        for default in function.attribute_proto:
            yield from _of_attribute(default, prefix + default.name)
        yield from _of_nodes(function.node, prefix)
    for i, training in enumerate(model.training_info):
        yield from _of_graph(training.initialization, f"training_info.{i}.initialization.")
        yield from _of_graph(training.algorithm, f"training_info.{i}.algorithm.")


def _of_graph(graph: GraphProto, prefix: str) -> Iterator[Named]:
    for tensor in graph.initializer:
        yield prefix + tensor.name, tensor
    for sparse in graph.sparse_initializer:
        yield prefix + sparse.values.name, sparse
    yield from _of_nodes(graph.node, prefix)


def _of_nodes(nodes: Iterable[NodeProto], prefix: str) -> Iterator[Named]:
    for node in nodes:
        for attribute in node.attribute:
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
                yield from _of_constant(attribute, prefix + node.output[0])
                continue
            name = f"{prefix}{node.name or next(iter(node.output), node.op_type)}.{attribute.name}"
            yield from _of_attribute(attribute, name)
            if node.domain == ML_DOMAIN and attribute.floats:
                yield name, numpy_helper.from_array(np.array(attribute.floats, np.float32))


def _of_constant(attribute: AttributeProto, name: str) -> Iterator[Named]:
    """The value of a Constant node. Its attribute is a tensor, a number, a text, or a list."""
    if attribute.name.startswith(("value_float", "value_int")):
        kind = np.float32 if "float" in attribute.name else np.int64
        yield name, numpy_helper.from_array(np.array(helper.get_attribute_value(attribute), kind))
    elif attribute.name.startswith("value_string"):
        texts = [attribute.s] if attribute.HasField("s") else list(attribute.strings)
        yield name, helper.make_tensor(name, TensorProto.STRING, [len(texts)], texts)
    else:
        yield from _of_attribute(attribute, name)


def _of_attribute(attribute: AttributeProto, name: str) -> Iterator[Named]:
    if attribute.HasField("t"):
        yield name, attribute.t
    if attribute.HasField("sparse_tensor"):
        yield name, attribute.sparse_tensor
    if attribute.HasField("g"):
        yield from _of_graph(attribute.g, f"{name}.")
    for i, tensor in enumerate((*attribute.tensors, *attribute.sparse_tensors)):
        yield f"{name}.{i}", tensor
    for i, graph in enumerate(attribute.graphs):
        yield from _of_graph(graph, f"{name}.{i}.")
