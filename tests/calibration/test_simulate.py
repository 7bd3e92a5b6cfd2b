"""A quantized network against section 8 of the format page, followed step by step."""

from __future__ import annotations

import numpy as np

from dcz.calibration.simulate import Simulation
from dcz.dcformat import OPS, Dense, Graph, Quantization, Range, infer_shapes, make_node
from dcz.dcformat.graph.integer import IntegerLayer, quantize

F = np.float32
IMAGE, FIRST, SECOND, LINE = Range(F(0.03), 128), Range(F(0.02), 0), Range(F(0.05), 7), Range(F(0.013), 3)


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {"a": (4, 3, 3, 3), "b": (4, 2, 3, 3), "bias": (4,), "gain": (4,), "mean": (4,), "fc": (3, 8)}
    made = {name: rng.normal(size=shape).astype(F) for name, shape in shapes.items()}
    made["gain"][1] *= -1
    made["var"] = np.full(4, F(0.7))
    return made


def network() -> Graph:
    """Conv, norm and ReLU6; a grouped conv with a residual and a ReLU; pools, a concatenation, a linear layer."""
    nodes = (
        make_node("conv2d", (0,), {"weight": "a", "bias": "bias"}, {"padding": (1, 1)}),
        make_node("batch_norm", (1,), {"running_mean": "mean", "running_var": "var", "weight": "gain", "bias": "bias"}),
        make_node("relu6", (2,)),  # 3
        make_node("conv2d", (3,), {"weight": "b"}, {"padding": (1, 1), "groups": 2}),
        make_node("add", (4, 3)),
        make_node("relu", (5,)),  # 6
        make_node("max_pool2d", (6,), attrs={"kernel": (2, 2), "stride": (2, 2)}),  # 7
        make_node("avg_pool2d", (3,), attrs={"kernel": (2, 2), "stride": (2, 2)}),  # 8
        make_node("concat", (7, 8)),  # 9
        make_node("adaptive_avg_pool2d", (9,)),  # 10
        make_node("flatten", (10,)),
        make_node("linear", (11,), {"weight": "fc"}),
    )
    ranges = {0: IMAGE, 3: FIRST, 6: SECOND, 7: SECOND, 8: LINE, 9: SECOND}
    scales = {"a": np.linspace(0.01, 0.02, 4, dtype=F), "b": np.full(4, F(0.02))}
    corrections = {4: np.array([0.1, -0.2, 0, 0.3], F)}
    return Graph((3, 6, 6), nodes, 12, Quantization(ranges, scales, corrections))


def rounded(x: np.ndarray) -> np.ndarray:
    return np.rint(x.astype(np.float64))


def by_hand(x: np.ndarray) -> dict[int, np.ndarray]:
    """The network, as the page says."""
    t, given = tensors(), network().quantization
    by_channel = (-1, 1, 1)
    q0 = np.clip(rounded(x * (F(1) / F(IMAGE.scale))) + IMAGE.zero_point, 0, 255)

    scales = given.weights["a"]
    w = np.clip(rounded(t["a"] / scales.reshape(-1, 1, 1, 1)), -127, 127)
    factor = t["gain"].astype(np.float64) / np.sqrt(t["var"].astype(np.float64) + 1e-5)
    a = factor.astype(F)
    b = ((t["bias"].astype(np.float64) - t["mean"]) * factor + t["bias"]).astype(F)
    grid = np.float64(F(IMAGE.scale)) * scales * a
    convolution = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}
    sums = OPS["conv2d"].meaning(q0 - IMAGE.zero_point, w, groups=1, **convolution)
    sums = (sums + rounded(b / grid).reshape(by_channel)).astype(F)
    y = sums * (grid / F(FIRST.scale)).astype(F).reshape(by_channel)
    six = rounded(F(6) * (F(1) / F(FIRST.scale)))
    q3 = np.clip(rounded(y), 0, min(six, 255))

    w = np.clip(rounded(t["b"] / given.weights["b"].reshape(-1, 1, 1, 1)), -127, 127)
    grid = np.float64(F(FIRST.scale)) * given.weights["b"]
    sums = OPS["conv2d"].meaning(q3, w, groups=2, **convolution)
    sums = (sums + rounded(given.corrections[4] / grid).reshape(by_channel)).astype(F)
    y = sums * (grid / F(SECOND.scale)).astype(F).reshape(by_channel)
    y = y + q3.astype(F) * F(np.float64(F(FIRST.scale)) / F(SECOND.scale))
    q6 = np.clip(rounded(y) + SECOND.zero_point, SECOND.zero_point, 255)

    q7 = q6.reshape(len(x), 4, 3, 2, 3, 2).max(axis=(3, 5))
    sums = q3.reshape(len(x), 4, 3, 2, 3, 2).sum(axis=(3, 5)).astype(F)
    average = F(np.float64(F(FIRST.scale)) / (4 * np.float64(F(LINE.scale))))
    q8 = np.clip(rounded(sums * average) + LINE.zero_point, 0, 255)
    steps = (q8 - LINE.zero_point).astype(F) * F(np.float64(F(LINE.scale)) / F(SECOND.scale))
    moved = np.clip(rounded(steps) + SECOND.zero_point, 0, 255)
    q9 = np.concatenate([q7, moved], axis=1)
    sums = (q9 - SECOND.zero_point).sum(axis=(2, 3)).astype(F)
    v11 = sums * F(np.float64(F(SECOND.scale)) / 9)
    v12 = (v11.astype(np.float64) @ t["fc"].T.astype(np.float64)).astype(F)
    numbers = {0: (q0, IMAGE), 3: (q3, FIRST), 6: (q6, SECOND), 8: (q8, LINE), 9: (q9, SECOND)}
    return {v: (q.astype(F) - F(r.zero_point)) * F(r.scale) for v, (q, r) in numbers.items()} | {11: v11, 12: v12}


def simulation(graph: Graph) -> Simulation:
    held = {name: Dense(array, "F32") for name, array in tensors().items()}
    shapes = infer_shapes(graph, {name: tensor.shape for name, tensor in held.items()})
    return Simulation(graph, shapes, held.__getitem__)


def test_each_value_is_that_of_the_page() -> None:
    x = np.random.default_rng(2).normal(size=(3, 3, 6, 6)).astype(F)
    wanted = by_hand(x)
    simulated = simulation(network())
    assert sorted(simulated.layers) == [3, 6]
    found = simulated.run(x, watch=list(wanted))
    for value in wanted:
        np.testing.assert_array_equal(found[value], wanted[value], err_msg=str(value))


def test_odd_numbers_have_an_integer() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 0, 0.5, 1.5], F)
    assert quantize(odd, Range(1.0, 3)).tolist() == [0, 255, 0, 255, 0, 3, 3, 5]


def layer(weight: float, scale: float, shift: float, factor: float = 1.0, made: Range | None = None) -> bool:
    arrays = (np.array([number], F) for number in (scale, factor, shift))
    scales, factors, shifts = arrays
    row = np.full((1, 70_000), weight, F)
    return IntegerLayer.of(row, scales, (factors, shifts), None, Range(0.5, 0), made) is not None


def test_layers_that_integers_cannot_hold_are_computed_in_floats() -> None:
    assert layer(0, 1, 0)
    assert layer(1, 1, 0)
    assert layer(0, 2.0**80, 0.1, factor=0.0)
    assert not layer(127, 1, 0)  # sums over 2^31
    assert not layer(np.nan, 1, 0)
    assert not layer(0, 1, 3e9)  # a shift over 2^31 steps
    assert not layer(0, 2.0**100, 0, 2.0**30, Range(2.0**-60, 0))  # an infinite factor
