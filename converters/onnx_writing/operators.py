"""Our operators as ONNX's: a function an operator. Axes of ours do not count the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...dcformat import Node, Shape, UnsupportedOpError
from ...dcformat.graph.ops.resize import SCALES
from ...dcformat.tensors import Array
from .builder import OnnxBuilder


@dataclass(frozen=True)
class Use:
    """One node of ours, as a writer sees it.

    Attributes
    ----------
    index : int
        Number of the node.
    node : Node
    inputs : list of str
        Names of the values that it reads, in the model.
    params : mapping of str to str
        Names of its tensors by role, in the model.
    input_shapes : list of tuple of int
    shape : tuple of int
        Of what it makes.
    """

    index: int
    node: Node
    inputs: list[str]
    params: Mapping[str, str]
    input_shapes: list[Shape]
    shape: Shape

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the node."""
        return self.node.attrs

    def optional(self, *roles: str) -> list[str]:
        """Names of tensors for the last inputs of an operator: "" for one that is not given, none behind the last."""
        names = [self.params.get(role, "") for role in roles]
        while names and not names[-1]:
            names.pop()
        return names

    def refusal(self, why: str) -> UnsupportedOpError:
        """The error that refuses the node."""
        return UnsupportedOpError(self.node.op, node=str(self.index), why=why, shape=self.shape)


Writer = Callable[[OnnxBuilder, Use], str]


def _plain(op: str, **attributes: Any) -> Writer:
    return lambda b, u: b.add(op, u.inputs, **attributes)


def _conv(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    attributes = {"strides": a["stride"], "pads": a["padding"] * 2, "dilations": a["dilation"], "group": a["groups"]}
    return b.add("Conv", [*u.inputs, *u.optional("weight", "bias")], **attributes)


def _conv_transpose(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    attributes = {"strides": a["stride"], "pads": a["padding"] * 2, "dilations": a["dilation"], "group": a["groups"]}
    tensors = u.optional("weight", "bias")
    return b.add("ConvTranspose", [*u.inputs, *tensors], output_padding=a["output_padding"], **attributes)


def _linear(b: OnnxBuilder, u: Use) -> str:
    return b.add("Gemm", [*u.inputs, *u.optional("weight", "bias")], transB=1)


def _batch_norm(b: OnnxBuilder, u: Use) -> str:
    channels = u.shape[0]
    weight = u.params.get("weight") or b.constant("ones", np.ones(channels, np.float32))
    bias = u.params.get("bias") or b.constant("zeros", np.zeros(channels, np.float32))
    tensors = [weight, bias, u.params["running_mean"], u.params["running_var"]]
    return b.add("BatchNormalization", [*u.inputs, *tensors], epsilon=u.attrs["eps"])


def _leaky_relu(b: OnnxBuilder, u: Use) -> str:
    return b.add("LeakyRelu", u.inputs, alpha=u.attrs["negative_slope"])


def _relu6(b: OnnxBuilder, u: Use) -> str:
    return b.add("Clip", [*u.inputs, b.number(0), b.number(6)])


def _softmax(b: OnnxBuilder, u: Use) -> str:
    return b.add("LogSoftmax" if u.attrs["log"] else "Softmax", u.inputs, axis=u.attrs["axis"] + 1)


def _max_pool(b: OnnxBuilder, u: Use) -> str:
    return b.add("MaxPool", u.inputs, **_window(u), dilations=u.attrs["dilation"])


def _avg_pool(b: OnnxBuilder, u: Use) -> str:
    return b.add("AveragePool", u.inputs, **_window(u), count_include_pad=int(u.attrs["count_include_pad"]))


def _window(u: Use) -> dict[str, Any]:
    a = u.attrs
    sizes = {"kernel_shape": a["kernel"], "strides": a["stride"], "pads": a["padding"] * 2}
    return {**sizes, "ceil_mode": int(a["ceil_mode"])}


def _adaptive(pool: str, whole: str) -> Writer:
    def write(b: OnnxBuilder, u: Use) -> str:
        sizes, output = u.input_shapes[0][1:], u.attrs["output"]
        if set(output) == {1}:
            return b.add(whole, u.inputs)
        if all(size % out == 0 for size, out in zip(sizes, output, strict=True)):
            window = [size // out for size, out in zip(sizes, output, strict=True)]
            return b.add(pool, u.inputs, kernel_shape=window, strides=window)
        if pool == "MaxPool":
            raise u.refusal(f"ONNX has no pool from {list(sizes)} to {list(output)}")
        means = [b.constant("means", _means(*axis)) for axis in zip(sizes, output, strict=True)]
        x = u.inputs[0] if len(means) == 1 else b.add("MatMul", [means[0], *u.inputs])
        return b.add("MatMul", [x, b.add("Transpose", [means[-1]], perm=[1, 0])])

    return write


def _means(size: int, count: int) -> Array:
    """The matrix of shape ``(count, size)`` of means over windows that share an axis evenly."""
    matrix = np.zeros((count, size), np.float32)
    for i in range(count):
        first, stop = i * size // count, -(-(i + 1) * size // count)
        matrix[i, first:stop] = 1 / (stop - first)
    return matrix


def _resize(b: OnnxBuilder, u: Use) -> str:
    a, sizes = u.attrs, u.input_shapes[0][1:]
    stated = [a[name] for name in SCALES[len(sizes)]]
    form: dict[str, Any] = {"mode": a["mode"], "coordinate_transformation_mode": a["coordinates"]}
    form |= {"nearest_mode": a["rounding"], "cubic_coeff_a": a["cubic_a"]}
    if not any(stated):
        # The batch has to be named too: its size is that of the input.
        batch = b.add("Shape", u.inputs, start=0, end=1)
        return b.add("Resize", [*u.inputs, "", "", b.add("Concat", [batch, b.ints(*u.shape)], axis=0)], **form)
    scales = [scale or out / size for scale, out, size in zip(stated, a["output"], sizes, strict=True)]
    if [int(size * scale) for size, scale in zip(sizes, scales, strict=True)] != list(a["output"]):
        raise u.refusal(f"ONNX resizes {list(sizes)} by {scales} to another size than {list(a['output'])}")
    return b.add("Resize", [*u.inputs, "", b.constant("scales", np.array([1, 1, *scales], np.float32))], **form)


def _concat(b: OnnxBuilder, u: Use) -> str:
    return b.add("Concat", u.inputs, axis=u.attrs["axis"] + 1)


def _slice(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    bounds = [b.ints(a["start"]), b.ints(a["stop"]), b.ints(a["axis"] + 1), b.ints(a["step"])]
    return b.add("Slice", [*u.inputs, *bounds])


def _pad(b: OnnxBuilder, u: Use) -> str:
    return b.add("Pad", [*u.inputs, b.ints(0, *u.attrs["before"], 0, *u.attrs["after"])])


def _reshape(b: OnnxBuilder, u: Use) -> str:
    return b.add("Reshape", [*u.inputs, b.ints(0, *u.shape)])  # 0 keeps the batch


def _constant(b: OnnxBuilder, u: Use) -> str:
    """A tensor once for each sample: its shape follows the input's."""
    one = b.add("Reshape", [u.params["value"], b.ints(1, *u.shape)])
    batch = b.add("Shape", [b.input], start=0, end=1)
    return b.add("Expand", [one, b.add("Concat", [batch, b.ints(*u.shape)], axis=0)])


WRITERS: dict[str, Writer] = {
    "conv2d": _conv,
    "conv1d": _conv,
    "conv_transpose2d": _conv_transpose,
    "conv_transpose1d": _conv_transpose,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _plain("Relu"),
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "softmax": _softmax,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive("AveragePool", "GlobalAveragePool"),
    "adaptive_max_pool2d": _adaptive("MaxPool", "GlobalMaxPool"),
    "max_pool1d": _max_pool,
    "avg_pool1d": _avg_pool,
    "adaptive_avg_pool1d": _adaptive("AveragePool", "GlobalAveragePool"),
    "adaptive_max_pool1d": _adaptive("MaxPool", "GlobalMaxPool"),
    "resize": _resize,
    "add": _plain("Add"),
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "flatten": _plain("Flatten"),
    "reshape": _reshape,
    "constant": _constant,
}
"""By our operator; gives the name of what it makes."""
