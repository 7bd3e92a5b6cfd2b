"""Graphs of the test vectors, with their tensors: see `make_vectors.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

import dcz.dcformat as fmt
from dcz.dcformat.tensors import Array


def sparse(shape: tuple[int, ...], density: float, values: list[float], seed: int) -> Array:
    """A seeded tensor with some of `values` at random places."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.array(values, dtype=np.float32), size=shape)
    return np.where(rng.random(shape) < density, chosen, np.float32(0))


def graph_file() -> dict[str, Any]:
    """A graph with every operator."""
    rng = np.random.default_rng(5)

    def normal(*shape: int) -> Array:
        return rng.normal(size=shape).astype(np.float32)

    tensors: dict[str, Array] = {
        "conv.weight": normal(4, 1, 3, 3),
        "conv.bias": normal(4),
        "bn.weight": normal(4),
        "bn.bias": normal(4),
        "bn.running_mean": normal(4),
        "bn.running_var": np.abs(normal(4)) + np.float32(0.5),
        "bn.num_batches_tracked": np.array(7),
        "fc.weight": normal(3, 16),
    }
    bn = {role: f"bn.{role}" for role in ("weight", "bias", "running_mean", "running_var")}
    conv = {"weight": "conv.weight", "bias": "conv.bias"}
    node = fmt.make_node
    nodes = (
        node("conv2d", [0], conv, {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}),  # 1: 4, 5, 9
        node("batch_norm", [1], bn, {"eps": 0.001}),
        node("relu", [2]),
        node("max_pool2d", [3], None, {"kernel": (2, 2), "stride": (2, 2), "ceil_mode": True}),  # 4: 4, 3, 5
        node(
            "avg_pool2d", [4], None, {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1), "count_include_pad": False}
        ),
        node("add", [4, 5]),
        node("relu6", [6]),
        node("slice", [7], None, {"axis": 1, "stop": 3, "step": 2}),  # 8: 4, 2, 5
        node("pad", [8], None, {"before": (0, 0, 0), "after": (0, 1, 0)}),  # 9: 4, 3, 5
        node("concat", [9, 7], None, {"axis": 0}),  # 10: 8, 3, 5
        node("adaptive_max_pool2d", [10], None, {"output": (2, 2)}),
        node("adaptive_avg_pool2d", [11], None, {"output": (2, 1)}),  # 12: 8, 2, 1
        node("flatten", [12]),
        node("linear", [13], {"weight": "fc.weight"}),
        node("softmax", [14], None, {"log": True}),
    )
    return {
        "graph": fmt.Graph((2, 9, 9), nodes, 15),
        "tensors": tensors,
        "labels": ["cat", "dog", "Bär"],
        "preprocess": fmt.Preprocess("BGR", 12, (9, 9), "bicubic", 1.0, (104.0, 117.0, 123.0), (1.0, 2.0, 4.0)),
        "metadata": {"source": "made by tests/make_vectors.py"},
    }


def leaky_relu_file() -> dict[str, Any]:
    """The operator that format 1.1 brought, with the default slope and with another."""
    nodes = (
        fmt.make_node("leaky_relu", [0], None, {"negative_slope": 0.25}),
        fmt.make_node("linear", [1], {"weight": "fc.weight"}),
        fmt.make_node("leaky_relu", [2]),
    )
    return {"graph": fmt.Graph((2,), nodes, 3), "tensors": {"fc.weight": np.array([[1, -0.5], [-2, 3]], np.float32)}}


def spatial_file() -> dict[str, Any]:
    """Transposed convolution and interpolation of an image, then all operators on lines."""
    node = fmt.make_node
    up = {"stride": (2, 1), "padding": (1, 0), "output_padding": (1, 0)}
    half = {"coordinates": "half_pixel", "scale_x": 1.75}
    nodes = (
        node("conv_transpose2d", [0], {"weight": "up.weight", "bias": "up.bias"}, up),  # (2, 6, 4)
        node("resize", [1], None, {"output": (3, 7), "mode": "linear", **half}),
        node("resize", [2], None, {"output": (1, 14), "rounding": "ceil", "coordinates": "align_corners"}),
        node("reshape", [3], None, {"shape": (2, 14)}),
        node("conv1d", [4], {"weight": "line.weight"}, {"padding": (1,), "groups": 2}),  # (4, 14)
        node("conv_transpose1d", [5], {"weight": "wide.weight"}, {"stride": (2,)}),  # (1, 29)
        node("max_pool1d", [6], None, {"kernel": (3,), "stride": (2,)}),  # (1, 14)
        node("avg_pool1d", [7], None, {"kernel": (2,), "stride": (1,), "padding": (1,)}),  # (1, 15)
        node("adaptive_max_pool1d", [8], None, {"output": (10,)}),
        node("resize", [9], None, {"output": (13,), "mode": "cubic", "cubic_a": -0.5}),
        node("adaptive_avg_pool1d", [10], None, {"output": (4,)}),
    )
    tensors = {
        "up.weight": sparse((3, 2, 3, 1), 0.5, [0.5, -0.25, 1.5], 11),
        "up.bias": np.array([0.5, -1], np.float32),
        "line.weight": sparse((4, 1, 3), 0.8, [1.0, -2.0], 12),
        "wide.weight": sparse((4, 1, 3), 0.8, [0.5, -3.0], 13),
    }
    return {"graph": fmt.Graph((3, 3, 4), nodes, len(nodes)), "tensors": tensors}


def movement_file() -> dict[str, Any]:
    """Operators that move elements, and a tensor as a value."""
    node = fmt.make_node
    beyond_fp32 = {"before": (0, 1, 0), "after": (0, 0, 2), "value": -1e300}
    nodes = (
        node("permute", [0], None, {"axes": (1, 2, 0)}),  # 1: (3, 4, 2)
        node("take", [1], None, {"axis": 1, "indices": (3, 0, 0, 2, 1)}),  # 2: (3, 5, 2)
        node("constant", [], {"value": "token"}),  # 3: (1, 1, 2)
        node("expand", [3], None, {"shape": (3, 1, 2)}),
        node("concat", [4, 2], None, {"axis": 1}),  # 5: (3, 6, 2)
        node("pad_constant", [5], None, beyond_fp32),  # 6: (3, 7, 4)
        node("reshape", [6], None, {"shape": (7, 12)}),
    )
    token = np.array([[[0.5, -1]]], np.float32)
    return {"graph": fmt.Graph((2, 3, 4), nodes, len(nodes)), "tensors": {"token": token}}


def ends_file() -> dict[str, Any]:
    """Inputs and outputs by name, which format 1.1 brought: an output that is an input, and two that are one value."""
    inputs = fmt.Input((2, 3), "image"), fmt.Input((6,), "numbers", "I64")
    nodes = (
        fmt.make_node("flatten", [0]),
        fmt.make_node("add", [1, 2]),
        fmt.make_node("linear", [3], {"weight": "fc.weight"}),
    )
    outputs = fmt.Output(4, "scores"), fmt.Output(4, "again"), fmt.Output(3, "sum"), fmt.Output(1, "numbers")
    return {"graph": fmt.Graph(inputs, nodes, outputs), "tensors": {"fc.weight": np.eye(2, 6, dtype=np.float32)}}


def embedding_file() -> dict[str, Any]:
    """A table that is looked up by an input of integers."""
    graph = fmt.Graph((fmt.Input((3,), "ids", "I64"),), (fmt.make_node("embedding", [0], {"weight": "table"}),), 1)
    return {"graph": graph, "tensors": {"table": sparse((6, 4), 0.5, [0.5, -0.25, 1.5], 21)}}


def quantized_file() -> dict[str, Any]:
    """A network with ranges, scales of weights and corrections, for integers of 8 bits."""
    node = fmt.make_node
    nodes = (
        node("conv2d", [0], {"weight": "conv.weight", "bias": "conv.bias"}, {"padding": (1, 1)}),
        node("relu", [1]),
        node("max_pool2d", [2], None, {"kernel": (2, 2), "stride": (2, 2)}),
        node("flatten", [3]),
        node("linear", [4], {"weight": "fc.weight"}),
    )
    tensors = {
        "conv.weight": sparse((3, 2, 3, 3), 0.5, [0.5, -0.25, 1.5], 31),
        "conv.bias": np.array([0.5, -1, 0.25], np.float32),
        "fc.weight": sparse((2, 12), 0.5, [0.5, -0.25, 1.5], 32),
    }
    ranges = {0: fmt.Range(0.0625, 128), 2: fmt.Range(0.125, 0), 3: fmt.Range(0.125, 0), 4: fmt.Range(0.125, 0)}
    scales = {name: np.full(len(tensors[name]), 1.5 / 127, np.float32) for name in ("conv.weight", "fc.weight")}
    quantization = fmt.Quantization(ranges, scales, {1: np.array([0.0625, 0, -0.5], np.float32)})
    return {"graph": fmt.Graph((2, 4, 4), nodes, len(nodes), quantization), "tensors": tensors}
