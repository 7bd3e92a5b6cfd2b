"""What makes a graph legal: nodes that the table of operators allows, and shapes that fit and are not too large."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from math import prod

from ...core.errors import FormatError
from ..constants import MAX_ACTIVATION, MAX_ENDS, MAX_LIVE, MAX_RANK
from .graph import Attr, Graph, Input, Node, Output, Shape
from .ops import OPS
from .quantization import check_quantization

INPUT_DTYPES = ("F32", "I64")
"""Element types of inputs."""


def make_node(
    op: str,
    inputs: Sequence[int],
    params: Mapping[str, str] | None = None,
    attrs: Mapping[str, Attr] | None = None,
) -> Node:
    """Make a node with every attribute filled in.

    Raises
    ------
    FormatError
        An op, role or attribute that `OPS` does not have, one that is missing, or an attribute of another type.
    """
    spec = OPS.get(op)
    if spec is None:
        raise FormatError(f"unknown op {op!r}", hint="a newer dcz may know it")
    params, attrs = dict(params or {}), dict(attrs or {})
    least, most = spec.inputs
    if not least <= len(inputs) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise FormatError(f"{op} has the wrong number of inputs", expected=expected, found=len(inputs))
    roles = set(spec.params) | set(spec.optional_params)
    if not set(spec.params) <= set(params) <= roles:
        raise FormatError(f"{op} has the wrong tensors", expected=sorted(roles), found=sorted(params))
    unknown = set(attrs) - set(spec.attrs)
    if unknown:
        raise FormatError(f"{op} has no attribute {sorted(unknown)[0]!r}", expected=sorted(spec.attrs))
    filled: dict[str, Attr] = {}
    for name, default in spec.attrs.items():
        if name not in attrs and isinstance(default, type):
            raise FormatError(f"{op} lacks the attribute {name!r}")
        kind = default if isinstance(default, type) else type(default)
        value = attrs.get(name, default if not isinstance(default, type) else 0)
        if type(value) is not kind:
            raise FormatError(
                f"{op}: attribute {name!r} has the wrong type", expected=kind.__name__, found=reprlib.repr(value)
            )
        filled[name] = value
    return Node(op, tuple(inputs), params, filled)


def infer_shapes(graph: Graph, tensor_shapes: Mapping[str, Shape]) -> list[Shape]:
    """Shape of every value of a graph, without the batch axis.

    Parameters
    ----------
    graph : Graph
    tensor_shapes : mapping of str to tuple of int
        Shape of each tensor that the graph names.

    Returns
    -------
    list of tuple of int
        First those of the inputs, then those of what the nodes make.

    Raises
    ------
    FormatError
        A value used before it is made, a tensor that is missing, shapes that do not fit, or values of more than
        `MAX_LIVE` elements that are needed at a time; names the node. Ranges or scales that do not fit the graph.
    """
    _check_ends(graph)
    shapes = [given.shape for given in graph.inputs]
    for index, node in enumerate(graph.nodes):
        where = f"node {index} {node.op}"
        for value in node.inputs:
            if not 0 <= value < len(shapes):
                raise FormatError("node reads a value that is not made yet", where=where, found=f"value {value}")
        for role, name in node.params.items():
            if name not in tensor_shapes:
                raise FormatError(f"{role} tensor {name!r} is missing", where=where)
        params = {role: tensor_shapes[name] for role, name in node.params.items()}
        try:
            shape = OPS[node.op].shape([shapes[v] for v in node.inputs], params, node.attrs)
        except ValueError as error:
            name = next(iter(node.params.values()), "")
            raise FormatError(f"{node.op} {name!r}: {error}" if name else f"{node.op}: {error}", where=where) from None
        if any(n < 1 for n in shape) or prod(shape) > MAX_ACTIVATION:
            raise FormatError(
                "node makes a value of a size that cannot be used",
                where=where,
                expected=f"1 to {MAX_ACTIVATION} elements",
                found=f"shape {list(shape)}",
            )
        shapes.append(shape)
    for output in graph.outputs:
        if not 0 <= output.value < len(shapes):
            raise FormatError("the output is not a value of the graph", found=output.value)
    _check_live(graph, [prod(shape) for shape in shapes])
    check_quantization(graph, tensor_shapes)
    return shapes


def minor_version(graph: Graph, tensor_shapes: Mapping[str, Shape]) -> int:
    """The least minor version of the format that has all operators of a legal graph, in the forms that it uses."""
    specs = [OPS[node.op] for node in graph.nodes]
    least = max((spec.minor_version for spec in specs), default=0)
    if all(spec.form_version is None for spec in specs):
        return least
    shapes = infer_shapes(graph, tensor_shapes)
    for node, spec in zip(graph.nodes, specs, strict=True):
        if spec.form_version is not None:
            params = {role: tensor_shapes[name] for role, name in node.params.items()}
            least = max(least, spec.form_version([shapes[value] for value in node.inputs], params, node.attrs))
    return least


def _check_ends(graph: Graph) -> None:
    """Refuse inputs of sizes or types that cannot be used, and names that do not tell inputs, or outputs, apart."""
    for given in graph.inputs:
        if not 1 <= len(given.shape) <= MAX_RANK or min(given.shape) < 1:
            raise FormatError("bad input shape", expected=f"1 to {MAX_RANK} axes", found=list(given.shape))
        if prod(given.shape) > MAX_ACTIVATION:
            raise FormatError("input is too large", expected=f"at most {MAX_ACTIVATION} elements", found=given.shape)
        if given.dtype not in INPUT_DTYPES:
            expected = " or ".join(INPUT_DTYPES)
            raise FormatError(f"input {given.name!r} has an unknown dtype", expected=expected, found=given.dtype)
    ends: tuple[tuple[str, tuple[Input, ...] | tuple[Output, ...]], ...]
    ends = ("input", graph.inputs), ("output", graph.outputs)
    for what, items in ends:
        names = [item.name for item in items]
        if not 1 <= len(names) <= MAX_ENDS:
            raise FormatError(f"bad number of {what}s", expected=f"1 to {MAX_ENDS}", found=len(names))
        if len(set(names)) != len(names) or "" in names:
            raise FormatError(f"each {what} must have a name of its own", found=reprlib.repr(names))


def _check_live(graph: Graph, sizes: Sequence[int]) -> None:
    """Refuse a graph whose values take too much memory together: each is needed until its last node has read it."""
    made = graph.value_of
    last = {value: index for index, node in enumerate(graph.nodes) for value in (made(index), *node.inputs)}
    last |= dict.fromkeys(graph.answers, len(graph.nodes))
    live = sum(sizes[: len(graph.inputs)])
    for index, node in enumerate(graph.nodes):
        live += sizes[made(index)]
        if live > MAX_LIVE:
            raise FormatError(
                "too many values are needed at a time",
                where=f"node {index} {node.op}",
                expected=f"at most {MAX_LIVE} elements",
                found=live,
            )
        live -= sum(sizes[value] for value in {made(index), *node.inputs} if last[value] == index)
