"""Branches of If as parts of the main graph: what they define has a name of its own, and their constants lie there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

CHOICE = "If"


def branches(node: NodeProto) -> dict[bool, GraphProto]:
    """The two graphs of an If, by the condition's value; none of another node."""
    names = {"then_branch": True, "else_branch": False} if node.op_type == CHOICE else {}
    return {names[attribute.name]: attribute.g for attribute in node.attribute if attribute.name in names}


def lifted(model: ModelProto) -> ModelProto:
    """The model with unique names in the branches of its Ifs, and their constants in the main graph.

    Names that a branch defines get its path, ``y.then_branch.w`` for an If that makes ``y``: two may define the same.

    Parameters
    ----------
    model : ModelProto
        Stays as it is.
    """
    if not any(branches(node) for node in model.graph.node):
        return model
    result = ModelProto()
    result.CopyFrom(model)
    for graph in _renamed(result.graph, "", {}):
        constants = [node for node in graph.node if node.op_type == "Constant"]
        result.graph.initializer.extend(graph.initializer)
        result.graph.sparse_initializer.extend(graph.sparse_initializer)
        result.graph.node.extend(constants)
        for node in constants:
            graph.node.remove(node)
    return result


def _renamed(graph: GraphProto, path: str, names: Mapping[str, str]) -> Iterator[GraphProto]:
    """Rename what branches inside of a graph define, in place; yields them, inner ones first."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                inner, own = attribute.g, f"{path}{node.output[0]}.{attribute.name}."
                known = {**names, **{name: own + name for name in _defined(inner)}}
                yield from _renamed(inner, own, known)
                _rename(inner, known)
                yield inner


def _defined(graph: GraphProto) -> set[str]:
    made = {name for node in graph.node for name in node.output if name}
    stored = {tensor.name for tensor in graph.initializer}
    return made | stored | {tensor.values.name for tensor in graph.sparse_initializer}


def _rename(graph: GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
    for item in (*graph.initializer, *(tensor.values for tensor in graph.sparse_initializer), *graph.output):
        item.name = names.get(item.name, item.name)
