"""The graph in the manifest: between `Graph` and JSON."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.errors import FormatError, UnsupportedVersionError
from ..constants import MAX_ELEMENTS, MAX_ENDS, MAX_NODES
from ..graph.graph import Attr, Graph, Input, Node, Output, Shape
from ..graph.legal import make_node, minor_version
from ..graph.ops import OPS
from .json_fields import integers, list_of
from .quantization_json import MINOR_VERSION as QUANTIZATION_MINOR_VERSION

ENDS_MINOR_VERSION = 1
"""The format's minor version that brought several inputs and outputs, their names, and integer inputs."""


def graph_minor_version(graph: Graph, tensor_shapes: Mapping[str, Shape]) -> int:
    """The least minor version of the format that has all that the graph uses."""
    plain = _plain_input(graph) and _plain_output(graph)
    ends = 0 if plain else ENDS_MINOR_VERSION
    quantized = 0 if graph.quantization is None else QUANTIZATION_MINOR_VERSION
    return max(ends, quantized, minor_version(graph, tensor_shapes))


def graph_to_json(graph: Graph, index: Mapping[str, int]) -> dict[str, Any]:
    """A graph as JSON, without what is default.

    Parameters
    ----------
    graph : Graph
    index : mapping of str to int
        Index of each tensor in the manifest's list, by name.
    """
    data: dict[str, Any] = {}
    data["input"] = list(graph.input_shape) if _plain_input(graph) else [_input_to_json(item) for item in graph.inputs]
    data["nodes"] = [_node_to_json(node, graph.value_of(i) - 1, index) for i, node in enumerate(graph.nodes)]
    if not _plain_output(graph):
        data["output"] = [[output.name, output.value] for output in graph.outputs]
    elif graph.output != _last_value(graph):
        data["output"] = graph.output
    return data


def _plain_input(graph: Graph) -> bool:
    """Whether a shape says all of the inputs."""
    return graph.inputs == (Input(graph.input_shape),)


def _plain_output(graph: Graph) -> bool:
    """Whether a value says all of the outputs."""
    return graph.outputs == (Output(graph.output),)


def _last_value(graph: Graph) -> int:
    return graph.value_of(len(graph.nodes) - 1)


def _input_to_json(given: Input) -> list[Any]:
    row = [given.name, list(given.shape), given.dtype]
    return row[:-1] if given.dtype == Input.dtype else row


def _node_to_json(node: Node, last: int, index: Mapping[str, int]) -> list[Any]:
    """``[op, tensors, attributes, inputs]``, cut after the last item that is not the default.

    `last` is the value before the node's own, which it reads by default.
    """
    spec = OPS[node.op]
    tensors = [index[node.params[role]] if role in node.params else None for role in spec.params + spec.optional_params]
    while tensors and tensors[-1] is None:
        tensors.pop()
    attrs = {name: value for name, value in sorted(node.attrs.items()) if value != spec.attrs[name]}
    inputs = [] if node.inputs == (last,) else list(node.inputs)
    row = [node.op, tensors, attrs, inputs]
    while not row[-1]:
        row.pop()
    return row


def graph_from_json(data: Mapping[str, Any], names: Sequence[str]) -> Graph:
    """Inverse of `graph_to_json`; what `infer_shapes` checks is not checked here.

    Parameters
    ----------
    data : mapping
    names : sequence of str
        Of the manifest's tensors.

    Raises
    ------
    FormatError
    """
    inputs = _inputs_from_json(data.get("input"))
    rows = list_of(data, "nodes", MAX_NODES)
    nodes = tuple(_node_from_json(row, i, len(inputs), names) for i, row in enumerate(rows))
    return Graph(inputs, nodes, _outputs_from_json(data.get("output", len(inputs) + len(nodes) - 1)))


def _inputs_from_json(given: Any) -> tuple[Input, ...]:
    if not isinstance(given, list) or not given or not isinstance(given[0], list):
        return (Input(integers(given, None, "input shape", limit=MAX_ELEMENTS)),)
    return tuple(_input_from_json(row) for row in given)


def _input_from_json(row: Any) -> Input:
    if not isinstance(row, list) or not 2 <= len(row) <= 3 or not all(isinstance(v, str) for v in (row[0], *row[2:])):
        raise FormatError("manifest: bad input", expected="[name, shape, dtype]", found=reprlib.repr(row))
    shape = integers(row[1], None, f"shape of input {row[0]!r}", limit=MAX_ELEMENTS)
    return Input(shape, row[0], *row[2:])


def _outputs_from_json(given: Any) -> tuple[Output, ...]:
    rows = given if isinstance(given, list) else [[Output.name, given]]
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str) or type(row[1]) is not int:
            expected = "a value, or a list of [name, value]"
            raise FormatError("manifest: bad output", expected=expected, found=reprlib.repr(given))
    return tuple(Output(value, name) for name, value in rows)


def _node_from_json(row: Any, position: int, inputs_of_graph: int, names: Sequence[str]) -> Node:
    where = f"node {position}"
    kinds = (str, list, dict, list)
    ok = isinstance(row, list) and 1 <= len(row) <= 4
    if not ok or not all(isinstance(v, kind) for v, kind in zip(row, kinds, strict=False)):
        raise FormatError("manifest: bad node", where=where, found=reprlib.repr(row))
    op, indices, attrs, inputs = row + [[], {}, []][len(row) - 1 :]
    if op not in OPS:
        raise UnsupportedVersionError(f"unknown op {reprlib.repr(op)}", where=where, hint="a newer dcz may know it")
    roles = OPS[op].params + OPS[op].optional_params
    if len(indices) > len(roles) or not all(i is None or (type(i) is int and 0 <= i < len(names)) for i in indices):
        raise FormatError(f"manifest: bad tensors of {op}", where=where, found=reprlib.repr(indices))
    params = {role: names[i] for role, i in zip(roles, indices, strict=False) if i is not None}
    before = (inputs_of_graph + position - 1,) if OPS[op].inputs[1] else ()  # an op without inputs leaves none out
    inputs = integers(inputs, None, f"inputs of {where}", limit=MAX_NODES + MAX_ENDS) or before
    try:
        return make_node(op, inputs, params, {name: _attr(value) for name, value in attrs.items()})
    except FormatError as error:
        error.where = where
        raise


def _attr(value: Any) -> Attr:
    if isinstance(value, list):
        return tuple(integers(value, None, "attribute", limit=MAX_ELEMENTS))
    if not isinstance(value, int | float | bool | str):
        raise FormatError("manifest: bad attribute", found=reprlib.repr(value))
    return value
