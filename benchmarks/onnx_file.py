"""ONNX files with dense weights, made from containers, for other engines. The batch size is fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import dcz
from dcz.dcformat import Node, infer_shapes

OPSET = 17


class _Builder:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attrs: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], **attrs))


def write(container: Path, path: Path, batch: int) -> Path:
    """Write the ONNX file of a container.

    Parameters
    ----------
    container, path : Path
    batch : int

    Returns
    -------
    Path
        `path`.
    """
    builder = _Builder()
    with dcz.open(container) as opened:
        graph = opened.graph
        assert graph is not None
        tensors = {name: np.asarray(opened.tensor(name), np.float32) for name in graph.tensor_names()}
    for name, tensor in tensors.items():
        builder.constant(name, tensor)
    shapes = infer_shapes(graph, {name: tensor.shape for name, tensor in tensors.items()})
    for index, node in enumerate(graph.nodes):
        if node.op not in NODES:
            raise NotImplementedError(f"{container}: no network that is compared has {node.op!r} yet; add it to NODES")
        NODES[node.op](builder, node, [f"v{i}" for i in node.inputs], f"v{index + 1}")
    ends = [
        helper.make_tensor_value_info(f"v{value}", TensorProto.FLOAT, (batch, *shapes[value]))
        for value in (0, graph.output)
    ]
    made = helper.make_graph(builder.nodes, "network", ends[:1], ends[1:], builder.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def _conv(b: _Builder, node: Node, x: list[str], y: str) -> None:
    names = [node.params["weight"], *([node.params["bias"]] if "bias" in node.params else [])]
    a: Mapping[str, Any] = node.attrs
    b.add("Conv", x + names, y, strides=a["stride"], pads=a["padding"] * 2, dilations=a["dilation"], group=a["groups"])


def _linear(b: _Builder, node: Node, x: list[str], y: str) -> None:
    names = [node.params["weight"], *([node.params["bias"]] if "bias" in node.params else [])]
    b.add("Gemm", x + names, y, transB=1)


def _batch_norm(b: _Builder, node: Node, x: list[str], y: str) -> None:
    missing = {"weight": np.ones, "bias": np.zeros}
    channels = next(c.dims[0] for c in b.constants if c.name == node.params["running_mean"])
    names = [
        node.params.get(role) or b.constant(f"{y}.{role}", make(channels, np.float32)) for role, make in missing.items()
    ]
    b.add(
        "BatchNormalization", [*x, *names, node.params["running_mean"], node.params["running_var"]], y,
        epsilon=node.attrs["eps"],
    )  # fmt: skip


def _pool(op: str) -> Callable[..., None]:
    def build(b: _Builder, node: Node, x: list[str], y: str) -> None:
        a: Mapping[str, Any] = node.attrs
        more = {"dilations": a["dilation"]} if op == "MaxPool" else {"count_include_pad": int(a["count_include_pad"])}
        sizes = {"kernel_shape": a["kernel"], "strides": a["stride"], "pads": a["padding"] * 2}
        b.add(op, x, y, ceil_mode=int(a["ceil_mode"]), **sizes, **more)

    return build


def _global_pool(op: str) -> Callable[..., None]:
    def build(b: _Builder, node: Node, x: list[str], y: str) -> None:
        if node.attrs["output"] != (1, 1):
            raise NotImplementedError(f"{node.op} to {node.attrs['output']} has no ONNX operator")
        b.add(op, x, y)

    return build


def _slice(b: _Builder, node: Node, x: list[str], y: str) -> None:
    a: Mapping[str, Any] = node.attrs
    values = {"start": a["start"], "stop": a["stop"], "axis": a["axis"] + 1, "step": a["step"]}
    names = [b.constant(f"{y}.{key}", np.array([value], np.int64)) for key, value in values.items()]
    b.add("Slice", x + names, y)


def _pad(b: _Builder, node: Node, x: list[str], y: str) -> None:
    before, after = node.attrs["before"], node.attrs["after"]
    b.add("Pad", [*x, b.constant(f"{y}.pads", np.array([0, *before, 0, *after], np.int64))], y)


def _softmax(b: _Builder, node: Node, x: list[str], y: str) -> None:
    a: Mapping[str, Any] = node.attrs
    b.add("LogSoftmax" if a["log"] else "Softmax", x, y, axis=a["axis"] + 1)


def _relu6(b: _Builder, node: Node, x: list[str], y: str) -> None:
    limits = [b.constant(f"{y}.{name}", np.array(value, np.float32)) for name, value in (("low", 0), ("high", 6))]
    b.add("Clip", x + limits, y)


NODES: Mapping[str, Callable[[_Builder, Node, list[str], str], None]] = {
    "conv2d": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": lambda b, node, x, y: b.add("Relu", x, y),
    "relu6": _relu6,
    "max_pool2d": _pool("MaxPool"),
    "avg_pool2d": _pool("AveragePool"),
    "adaptive_avg_pool2d": _global_pool("GlobalAveragePool"),
    "adaptive_max_pool2d": _global_pool("GlobalMaxPool"),
    "add": lambda b, node, x, y: b.add("Add", x, y),
    "concat": lambda b, node, x, y: b.add("Concat", x, y, axis=node.attrs["axis"] + 1),
    "flatten": lambda b, node, x, y: b.add("Flatten", x, y),
    "softmax": _softmax,
    "slice": _slice,
    "pad": _pad,
}  # fmt: skip
"""One builder an operator of the networks that are compared; axes in our attributes do not count the batch."""
