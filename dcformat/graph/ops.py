"""The operator set: what each op takes, its attributes with their defaults, and the shape that it makes.

One table, `OPS`, serves the writer (defaults are left out of the manifest), the reader (nothing unknown gets in), the
converters and the planner. To add an op: a shape function and a row here, a step in `runtime/plan.py`, a lowering in
`converters/lowering/`, its twin in `converters/torch_module.py`, and a row in `docs/format.md`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from ...core.errors import FormatError
from ..constants import MAX_ACTIVATION, MAX_LIVE, MAX_RANK
from .graph import Attr, Graph, Node, Shape

ShapeRule = Callable[[list[Shape], Mapping[str, Shape], Mapping[str, Attr]], Shape]


@dataclass(frozen=True)
class OpSpec:
    """What one op takes and makes.

    Attributes
    ----------
    shape : callable
        ``shape(input_shapes, param_shapes, attrs) -> output shape``; raises ValueError on a misfit. No batch axis.
    inputs : tuple of int
        Least and greatest number of inputs.
    params, optional_params : tuple of str
        Roles of the tensors.
    attrs : mapping of str to Attr or type
        Attribute name -> default value, or, for one that must be given, its type.
    """

    shape: ShapeRule
    inputs: tuple[int, int] = (1, 1)
    params: tuple[str, ...] = ()
    optional_params: tuple[str, ...] = ()
    attrs: Mapping[str, Attr | type] = field(default_factory=dict)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _ints(attrs: Mapping[str, Attr], name: str) -> tuple[int, ...]:
    value = attrs[name]
    _require(isinstance(value, tuple) and all(type(v) is int for v in value), f"{name} must be a list of integers")
    return value  # type: ignore[return-value]


def _pair(attrs: Mapping[str, Attr], name: str, least: int) -> tuple[int, int]:
    value = _ints(attrs, name)
    _require(len(value) == 2 and min(value) >= least, f"{name} must be two integers >= {least}, found {list(value)}")
    return value[0], value[1]


def _axis(attrs: Mapping[str, Attr], rank: int) -> int:
    axis = attrs["axis"]
    _require(type(axis) is int and 0 <= axis < rank, f"axis must lie in 0..{rank - 1}, found {axis}")
    return axis  # type: ignore[return-value]


def _channel_params(params: Mapping[str, Shape], roles: Sequence[str], channels: int) -> None:
    for role in roles:
        if role in params:
            _require(params[role] == (channels,), f"{role} must have shape [{channels}], found {list(params[role])}")


def conv_out(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Length of a convolution's output along one axis."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def pool_out(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """Length of a pooling's output along one axis; with `ceil_mode` the last window must start inside (PyTorch)."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    out = -(-span // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def _conv2d(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,), weight = inputs, params["weight"]
    _require(len(x) == 3, f"input must be (C, H, W), found {list(x)}")
    _require(
        len(weight) == 4 and min(weight) > 0, f"weight must have four axes (O, I/groups, KH, KW), found {list(weight)}"
    )
    groups = attrs["groups"]
    _require(type(groups) is int and groups > 0, f"groups must be a positive integer, found {groups}")
    assert isinstance(groups, int)
    _require(weight[1] * groups == x[0], f"weight {list(weight)} with groups {groups} does not fit {x[0]} channels")
    _require(weight[0] % groups == 0, f"{weight[0]} output channels do not divide into {groups} groups")
    stride, padding, dilation = _pair(attrs, "stride", 1), _pair(attrs, "padding", 0), _pair(attrs, "dilation", 1)
    _channel_params(params, ["bias"], weight[0])
    h, w = (conv_out(x[1 + i], weight[2 + i], stride[i], padding[i], dilation[i]) for i in range(2))
    return weight[0], h, w


def _linear(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,), weight = inputs, params["weight"]
    _require(len(weight) == 2, f"weight must have two axes (out, in), found {list(weight)}")
    _require(len(x) == 1, f"input must be (features,), found {list(x)}")
    _require(weight[1] == x[0], f"weight {list(weight)} does not fit {x[0]} features")
    _channel_params(params, ["bias"], weight[0])
    return (weight[0],)


def _batch_norm(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,) = inputs
    _require(len(x) >= 1, "input must have a channel axis")
    _channel_params(params, ["weight", "bias", "running_mean", "running_var"], x[0])
    eps = attrs["eps"]
    _require(isinstance(eps, float) and 0 <= eps < 1, f"eps must lie in [0, 1), found {eps}")
    return x


def _same(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    return inputs[0]


def _pool2d(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,) = inputs
    _require(len(x) == 3, f"input must be (C, H, W), found {list(x)}")
    kernel, stride, padding = _pair(attrs, "kernel", 1), _pair(attrs, "stride", 1), _pair(attrs, "padding", 0)
    dilation = _pair(attrs, "dilation", 1) if "dilation" in attrs else (1, 1)
    for i in range(2):
        _require(2 * padding[i] <= kernel[i], f"padding {padding[i]} is more than half of the window {kernel[i]}")
    ceil_mode = bool(attrs["ceil_mode"])
    h, w = (pool_out(x[1 + i], kernel[i], stride[i], padding[i], dilation[i], ceil_mode) for i in range(2))
    return x[0], h, w


def _adaptive_pool2d(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,) = inputs
    _require(len(x) == 3, f"input must be (C, H, W), found {list(x)}")
    return (x[0], *_pair(attrs, "output", 1))


def _add(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    a, b = inputs
    _require(a == b, f"both inputs must have the same shape, found {list(a)} and {list(b)}")
    return a


def _concat(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    first = inputs[0]
    axis = _axis(attrs, len(first))
    for x in inputs:
        fits = len(x) == len(first) and all(x[i] == first[i] for i in range(len(first)) if i != axis)
        _require(fits, f"shapes must agree but for axis {axis}, found {[list(s) for s in inputs]}")
    return (*first[:axis], sum(x[axis] for x in inputs), *first[axis + 1 :])


def _flatten(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    return (prod(inputs[0]),)


def _softmax(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    _axis(attrs, len(inputs[0]))
    return inputs[0]


def _slice(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,) = inputs
    axis, start, stop, step = _axis(attrs, len(x)), attrs["start"], attrs["stop"], attrs["step"]
    assert isinstance(start, int)
    assert isinstance(stop, int)
    assert isinstance(step, int)
    _require(
        0 <= start <= stop <= x[axis] and step >= 1, f"slice {start}:{stop}:{step} does not fit {x[axis]} elements"
    )
    return (*x[:axis], len(range(start, stop, step)), *x[axis + 1 :])


def _pad(inputs: list[Shape], params: Mapping[str, Shape], attrs: Mapping[str, Attr]) -> Shape:
    (x,) = inputs
    before, after = _ints(attrs, "before"), _ints(attrs, "after")
    _require(len(before) == len(after) == len(x), f"before and after must name all {len(x)} axes")
    _require(min((*before, *after), default=0) >= 0, "padding must not be negative")
    return tuple(b + n + a for b, n, a in zip(before, x, after, strict=True))


OPS: Mapping[str, OpSpec] = {
    "conv2d": OpSpec(
        _conv2d,
        params=("weight",),
        optional_params=("bias",),
        attrs={"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1},
    ),
    "linear": OpSpec(_linear, params=("weight",), optional_params=("bias",)),
    "batch_norm": OpSpec(
        _batch_norm,
        params=("running_mean", "running_var"),
        optional_params=("weight", "bias"),
        attrs={"eps": 1e-5},
    ),
    "relu": OpSpec(_same),
    "relu6": OpSpec(_same),
    "max_pool2d": OpSpec(
        _pool2d,
        attrs={"kernel": tuple, "stride": tuple, "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False},
    ),
    "avg_pool2d": OpSpec(
        _pool2d,
        attrs={"kernel": tuple, "stride": tuple, "padding": (0, 0), "ceil_mode": False, "count_include_pad": True},
    ),
    "adaptive_avg_pool2d": OpSpec(_adaptive_pool2d, attrs={"output": (1, 1)}),
    "adaptive_max_pool2d": OpSpec(_adaptive_pool2d, attrs={"output": (1, 1)}),
    "add": OpSpec(_add, inputs=(2, 2)),
    "concat": OpSpec(_concat, inputs=(1, 1 << 10), attrs={"axis": 0}),
    "flatten": OpSpec(_flatten),
    "softmax": OpSpec(_softmax, attrs={"axis": 0, "log": False}),
    "slice": OpSpec(_slice, attrs={"axis": int, "start": 0, "stop": int, "step": 1}),
    "pad": OpSpec(_pad, attrs={"before": tuple, "after": tuple}),
}


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
        Item 0 is the input's shape, item i + 1 that of what node i makes.

    Raises
    ------
    FormatError
        A value used before it is made, a tensor that is missing, shapes that do not fit, or values of more than
        `MAX_LIVE` elements that are needed at a time; names the node.
    """
    if not 1 <= len(graph.input_shape) <= MAX_RANK or min(graph.input_shape) < 1:
        raise FormatError("bad input shape", expected=f"1 to {MAX_RANK} axes", found=list(graph.input_shape))
    if prod(graph.input_shape) > MAX_ACTIVATION:
        raise FormatError("input is too large", expected=f"at most {MAX_ACTIVATION} elements", found=graph.input_shape)
    shapes = [graph.input_shape]
    for index, node in enumerate(graph.nodes):
        where = f"node {index} {node.op}"
        for value in node.inputs:
            if not 0 <= value <= index:
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
    if not 0 <= graph.output < len(shapes):
        raise FormatError("the output is not a value of the graph", found=graph.output)
    _check_live(graph, [prod(shape) for shape in shapes])
    return shapes


def _check_live(graph: Graph, sizes: Sequence[int]) -> None:
    """Refuse a graph whose values take too much memory together: each is needed until its last node has read it."""
    last = {value: index for index, node in enumerate(graph.nodes) for value in (index + 1, *node.inputs)}
    last[graph.output] = len(graph.nodes)
    live = sizes[0]
    for index, node in enumerate(graph.nodes):
        live += sizes[index + 1]
        if live > MAX_LIVE:
            raise FormatError(
                "too many values are needed at a time",
                where=f"node {index} {node.op}",
                expected=f"at most {MAX_LIVE} elements",
                found=live,
            )
        live -= sum(sizes[value] for value in {index + 1, *node.inputs} if last[value] == index)
