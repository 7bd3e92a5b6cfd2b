"""Plans of integers against the simulation of what the format page describes, bit by bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dcz.calibration.simulate import Simulation
from dcz.dcformat import Dense, Graph, GraphBuilder, Quantization, Range, Value, infer_shapes
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import Plan, plan
from dcz.runtime.plan.steps import integer
from dcz.runtime.threads.team import Team


class Network:
    """A network of random weights that is built node by node, some of its values with ranges."""

    def __init__(self, *shape: int) -> None:
        self.rng = np.random.default_rng(3)
        self.arrays: dict[str, np.ndarray] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.builder = GraphBuilder(shape, self._shapes)
        self.ranges: dict[int, Range] = {}
        self.scales: dict[str, np.ndarray] = {}
        self.corrections: dict[int, np.ndarray] = {}
        self.x = self.held(self.builder.input, 0.03, 120)

    def tensor(self, array: np.ndarray) -> str:
        """Name an array."""
        name = f"t{len(self.arrays)}"
        self.arrays[name], self._shapes[name] = np.asarray(array, np.float32), np.shape(array)
        return name

    def add(self, op: str, *inputs: Value, **attrs: object) -> Value:
        """Append a node without tensors."""
        return self.builder.append(op, inputs, attrs=attrs)

    def weighted(self, op: str, x: Value, shape: tuple[int, ...], **attrs: object) -> Value:
        """A layer with a bias, scales of its weights, and corrections."""
        weight = self.rng.standard_normal(shape) * (self.rng.random(shape) < 0.5)
        params = {"weight": self.tensor(weight), "bias": self.tensor(self.rng.standard_normal(shape[0]))}
        self.scales[params["weight"]] = self.rng.uniform(0.01, 0.03, shape[0]).astype(np.float32)
        value = self.builder.append(op, [x], params, attrs)
        self.corrections[value.index] = self.rng.standard_normal(shape[0]).astype(np.float32) / 10
        return value

    def conv(self, x: Value, channels: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> Value:
        """A convolution, of the same size unless strided."""
        pairs = {"stride": (stride,) * 2, "padding": (kernel // 2,) * 2, "dilation": (1, 1)}
        return self.weighted("conv2d", x, (channels, x.shape[0] // groups, kernel, kernel), groups=groups, **pairs)

    def held(self, value: Value, scale: float = 0.06, zero: int = 0) -> Value:
        """The value, with a range."""
        self.ranges[value.index] = Range(float(np.float32(scale)), zero)
        return value

    def relu(self, x: Value) -> Value:
        """An activation with a range."""
        return self.held(self.add("relu", x))


def residual(n: Network) -> Value:
    """Blocks with a shortcut, one of which has more channels and fewer pixels; the end is float32."""
    x = n.relu(n.conv(n.x, 8))
    y = n.held(n.conv(x, 8), 0.05, 130)
    x = n.held(n.add("relu6", n.add("add", n.conv(y, 8), x)), 0.03)
    y = n.relu(n.conv(x, 16, stride=2))
    rows = n.held(n.add("slice", x, axis=1, start=0, stop=x.shape[1], step=2), 0.03)
    columns = n.held(n.add("slice", rows, axis=2, start=0, stop=x.shape[2], step=2), 0.03)
    shortcut = n.held(n.add("pad", columns, before=(4, 0, 0), after=(4, 0, 0)), 0.03)
    x = n.relu(n.add("add", n.conv(y, 16), shortcut))
    return n.add("relu", n.add("add", n.conv(x, 8), n.held(n.conv(x, 8), 0.07, 99)))


def squeezing(n: Network) -> Value:
    """Pools and concatenations of one range and of two, and an average."""
    windows = {"kernel": (3, 3), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": True}
    x = n.held(n.add("max_pool2d", n.relu(n.conv(n.x, 12, 5, 2)), **windows))
    x = n.held(n.add("concat", n.relu(n.conv(x, 6, 1)), n.relu(n.conv(x, 7)), axis=0))
    y = n.held(n.add("max_pool2d", x, **windows | {"padding": (1, 1)}), 0.08, 20)
    x = n.held(n.add("concat", n.relu(n.conv(y, 5, 1)), y, axis=0), 0.07, 3)
    windows = {"kernel": (2, 2), "stride": (1, 1), "padding": (1, 1), "ceil_mode": False, "count_include_pad": False}
    x = n.held(n.add("avg_pool2d", x, **windows), 0.05, 10)
    return n.add("adaptive_avg_pool2d", n.relu(n.conv(x, 9)), output=(1, 1))


def groups(n: Network) -> Value:
    """Groups and depthwise, then float32 between bytes, and a layer on rows."""
    pairs = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False}
    x = n.held(n.add("max_pool2d", n.add("relu", n.conv(n.x, 12, groups=2)), **pairs))
    x = n.held(n.conv(x, 12, groups=12), 0.05, 128)
    x = n.held(n.add("mul", x, n.relu(n.conv(x, 12, 1))), 0.4, 100)
    x = n.held(n.weighted("linear", x, (10, x.shape[-1])), 0.4, 88)
    x = n.held(n.add("flatten", x), 0.5, 90)
    return n.add("relu", n.weighted("linear", x, (5, x.shape[0])))


def lines(n: Network) -> Value:
    """Layers on lines, and an answer that has a range."""
    ones = {"stride": (2,), "padding": (2,), "dilation": (1,), "groups": 1}
    x = n.held(n.add("relu", n.weighted("conv1d", n.x, (9, n.x.shape[0], 5), **ones)))
    windows = {"kernel": (2,), "stride": (2,), "padding": (0,), "dilation": (1,), "ceil_mode": False}
    x = n.held(n.add("max_pool1d", x, **windows))
    return n.held(n.weighted("conv1d", x, (4, 9, 1), **ones | {"stride": (1,), "padding": (0,)}), 0.2, 128)


NETWORKS: dict[str, tuple[Callable[[Network], Value], tuple[int, ...]]] = {
    "residual": (residual, (3, 12, 11)),
    "rows without padding": (residual, (3, 16, 16)),
    "squeezing": (squeezing, (3, 29, 30)),
    "groups": (groups, (4, 6, 7)),
    "lines": (lines, (3, 31)),
}


def planned(name: str, batch: int, threads: int = 1) -> tuple[Plan, Graph, Simulation]:
    """A network's plan, its graph, and its simulation."""
    build, shape = NETWORKS[name]
    network = Network(*shape)
    bare = network.builder.finish(build(network))
    quantization = Quantization(network.ranges, network.scales, network.corrections)
    graph = Graph(bare.inputs, bare.nodes, bare.outputs, quantization)
    shapes = infer_shapes(graph, {tensor: array.shape for tensor, array in network.arrays.items()})

    def decode(tensor: str) -> Dense:
        return Dense(network.arrays[tensor], "F32")

    made = plan(graph, shapes, decode, batch, Team(threads), integers=True)
    return made, graph, Simulation(graph, shapes, decode)


def run(made: Plan, x: np.ndarray) -> np.ndarray:
    """The answer of a plan, twice, since memory is used again."""
    executor, value = Executor(made), made.outputs[0]
    out = np.empty((len(x), *made.shapes[value]), np.float32)
    for _ in range(2):
        executor.run([x], [out])
    return out


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3])
def test_equals_the_simulation(name: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integer, "PARALLEL_CYCLES", 0)
    monkeypatch.setattr(integer, "PARALLEL_BYTES", 0)
    made, graph, simulation = planned(name, batch, threads=2)
    x = np.random.default_rng(4).standard_normal((batch, *graph.input_shape)).astype(np.float32) * 2
    wanted = simulation.run(x)[graph.output]
    np.testing.assert_array_equal(run(made, x), wanted)
    assert len(np.unique(wanted)) > 2  # not saturated everywhere


def test_kernels_on_bytes_are_used() -> None:
    kernels = {name: {step.kernel for step in planned(name, 1)[0].steps} for name in NETWORKS}
    assert {"quantize", "move_bytes"} <= kernels["residual"]
    assert {"max_pool_bytes", "average_pool_bytes", "concat"} <= kernels["squeezing"]
    assert "linear_bytes" in kernels["groups"]
    assert {"dequantize", "max_pool_bytes"} <= kernels["lines"]
    assert planned("rows without padding", 1)[0].integers.pads == {(16, 16): (1, 1), (8, 8): (2, 0)}
    convolutions = {"conv_bytes_sparse", "conv_bytes_dense"}
    for found in kernels.values():
        assert found & convolutions
        assert not any(kernel.startswith("conv_") for kernel in found - convolutions)
