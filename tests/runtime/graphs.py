"""Small random legal graphs: branches, concatenations, residuals and normalisations in odd places."""

import numpy as np

from dcz.dcformat import Graph, GraphBuilder, Value
from dcz.dcformat.graph.ops.activation import OPS as ACTIVATIONS


class Builder:
    """Grows a graph node by node, with random tensors, and keeps the shapes of its values."""

    def __init__(self, rng, input_shape):
        self.rng, self.tensors, self.shapes, self.tensor_shapes = rng, {}, [input_shape], {}
        self.graph = GraphBuilder(input_shape, self.tensor_shapes)

    @property
    def nodes(self):
        return self.graph.nodes

    def node(self, op, inputs, params=None, attrs=None):
        """Append a node; returns the value it makes."""
        names = {}
        for role, array in (params or {}).items():
            names[role] = name = f"{len(self.nodes)}.{role}"
            self.tensors[name], self.tensor_shapes[name] = array.astype(np.float32), array.shape
        made = self.graph.append(op, [Value(value, self.shapes[value]) for value in inputs], names, attrs)
        self.shapes.append(made.shape)
        return made.index

    def normal(self, *shape):
        return self.rng.normal(size=shape)

    def sparse(self, *shape):
        """Weights as the compression leaves them, or dense ones."""
        fan_in = int(np.prod(shape[1:]))
        weight = self.normal(*shape) / np.sqrt(fan_in)
        kind = self.rng.integers(3)
        if kind:
            weight[self.rng.random(shape) < 0.6] = 0
        return np.round(weight * 8) / 8 if kind == 2 else weight


def random_graph(seed, nodes=12):
    """Make a graph of about `nodes` nodes: (Graph, tensors by name)."""
    rng = np.random.default_rng(seed)
    image = (int(rng.integers(1, 5)), int(rng.integers(3, 10)), int(rng.integers(3, 10)))
    b = Builder(rng, image if rng.random() < 0.85 else (int(rng.integers(1, 40)),))
    while len(b.nodes) < nodes:
        recent = rng.random() < 0.7
        value = len(b.nodes) if recent else int(rng.integers(len(b.shapes)))
        STEPS[rng.choice(list(STEPS))](b, value, b.shapes[value])
    return Graph(b.shapes[0], tuple(b.nodes), int(rng.integers(max(1, len(b.nodes) - 2), len(b.nodes) + 1))), b.tensors


def conv(b, value, shape):
    if len(shape) != 3:
        return linear(b, value, shape)
    groups = int(b.rng.choice([g for g in (1, 2, 3, 4) if shape[0] % g == 0]))
    kernel = [int(b.rng.integers(1, min(3, size) + 1)) for size in shape[1:]]
    out = groups * int(b.rng.integers(1, 4))
    if b.rng.random() < 0.4:  # an output of the input's shape, which residuals want
        groups, kernel, out = 1, [3, 3], shape[0]
        attrs = {"padding": (1, 1)}
    else:
        attrs = {
            "stride": tuple(int(v) for v in b.rng.integers(1, 3, 2)),
            "padding": tuple(int(v) for v in b.rng.integers(0, 2, 2)),
            "groups": groups,
        }
    params = {"weight": b.sparse(out, shape[0] // groups, *kernel)}
    if b.rng.random() < 0.5:
        params["bias"] = b.normal(out)
    return b.node("conv2d", [value], params, attrs)


def linear(b, value, shape):
    if len(shape) != 1:
        return conv(b, value, shape)
    out = shape[0] if b.rng.random() < 0.4 else int(b.rng.integers(1, 20))
    params = {"weight": b.sparse(out, shape[0])}
    if b.rng.random() < 0.5:
        params["bias"] = b.normal(out)
    return b.node("linear", [value], params)


def block(b, value, shape):
    """What networks are made of: convolution, normalisation, sum, activation, each but the first by chance."""
    value = conv(b, value, shape)
    if b.rng.random() < 0.7:
        value = norm(b, value, b.shapes[value])
    if b.rng.random() < 0.5:
        value = add(b, value, b.shapes[value]) or value
    if b.rng.random() < 0.7:
        activation(b, value, b.shapes[value])


def norm(b, value, shape):
    params = {"running_mean": b.normal(shape[0]), "running_var": b.rng.uniform(0.5, 2, shape[0])}
    if b.rng.random() < 0.7:
        params |= {"weight": b.normal(shape[0]), "bias": b.normal(shape[0])}
    return b.node("batch_norm", [value], params, {"eps": 1e-3})


def activation(b, value, shape):
    op = str(b.rng.choice(list(ACTIVATIONS)))
    return b.node(op, [value], {"weight": b.normal(shape[0])} if op == "prelu" else None)


def add(b, value, shape):
    fitting = [v for v, other in enumerate(b.shapes) if other == shape]
    return b.node("add", [value, int(b.rng.choice(fitting))])


def pair(b, value, shape):
    """Arithmetic with a constant that broadcasts: of all axes, or of the last."""
    axes = shape if b.rng.random() < 0.5 else shape[-1:]
    part = [int(b.rng.choice([1, size])) for size in axes]
    constant = b.node("constant", [], {"value": b.normal(*part)})
    operands = [value, constant][:: int(b.rng.choice([1, -1]))]
    return b.node(str(b.rng.choice(["add", "sub", "mul", "maximum", "minimum"])), operands)


def concat(b, value, shape):
    axis = int(b.rng.integers(len(shape)))
    fitting = [
        v
        for v, s in enumerate(b.shapes)
        if len(s) == len(shape) and s[:axis] + s[axis + 1 :] == shape[:axis] + shape[axis + 1 :]
    ]
    picked = [int(v) for v in b.rng.choice(fitting, int(b.rng.integers(1, 4)))]
    if sum(b.shapes[v][axis] for v in picked) < 60:
        return b.node("concat", picked, attrs={"axis": axis})
    return None


def pool(b, value, shape):
    if len(shape) != 3:
        return None
    if b.rng.random() < 0.3:
        op = str(b.rng.choice(["adaptive_avg_pool2d", "adaptive_max_pool2d"]))
        return b.node(op, [value], attrs={"output": tuple(int(b.rng.choice([1, 2, 3, s])) for s in shape[1:])})
    kernel = tuple(int(b.rng.integers(1, min(3, s) + 1)) for s in shape[1:])
    attrs = {
        "kernel": kernel,
        "stride": tuple(int(v) for v in b.rng.integers(1, 4, 2)),
        "padding": tuple(int(b.rng.integers(0, k // 2 + 1)) for k in kernel),
        "ceil_mode": bool(b.rng.integers(2)),
    }
    if b.rng.random() < 0.5:
        return b.node("max_pool2d", [value], attrs=attrs)
    return b.node("avg_pool2d", [value], attrs=attrs | {"count_include_pad": bool(b.rng.integers(2))})


def flatten(b, value, shape):
    return b.node("flatten", [value])


def softmax(b, value, shape):
    return b.node("softmax", [value], attrs={"axis": int(b.rng.integers(len(shape))), "log": bool(b.rng.integers(2))})


def slices(b, value, shape):
    for _ in range(int(b.rng.integers(1, 3))):
        shape = b.shapes[value]
        axis = int(b.rng.integers(len(shape)))
        start = int(b.rng.integers(shape[axis]))
        stop = int(b.rng.integers(start + 1, shape[axis] + 1))
        attrs = {"axis": axis, "start": start, "stop": stop, "step": int(b.rng.integers(1, 4))}
        value = b.node("slice", [value], attrs=attrs)
    if b.rng.random() < 0.5:
        pad(b, value, b.shapes[value])


def pad(b, value, shape):
    before, after = (tuple(int(v) for v in b.rng.integers(0, 2, len(shape))) for _ in range(2))
    return b.node("pad", [value], attrs={"before": before, "after": after})


def moves(b, value, shape):
    """Some of the operators that are strided copies, and rows by number."""
    for op in b.rng.choice(["permute", "expand", "slice", "take"], int(b.rng.integers(1, 4))):
        shape = b.shapes[value]
        axis = int(b.rng.integers(len(shape)))
        match op:
            case "permute":
                attrs = {"axes": tuple(int(v) for v in b.rng.permutation(len(shape)))}
            case "expand":
                attrs = {"shape": tuple(2 if n == 1 and i == axis else n for i, n in enumerate(shape))}
            case "slice":
                attrs = {"axis": axis, "start": shape[axis] // 2, "stop": shape[axis]}
            case _:
                attrs = {"axis": axis, "indices": tuple(int(v) for v in b.rng.integers(0, shape[axis], shape[axis]))}
        value = b.node(str(op), [value], attrs=attrs)


BUILDERS = (block, conv, linear, norm, activation, add, pair, concat, pool, flatten, softmax, slices, pad, moves)
STEPS = {builder.__name__: builder for builder in BUILDERS}
