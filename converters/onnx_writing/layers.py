"""Layers and what goes over windows: our operators as ONNX's."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from ...dcformat import Shape
from ...dcformat.graph.ops.resize import SCALES
from ...dcformat.tensors import Array
from .builder import OnnxBuilder
from .use import Use, Writer


def _conv(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    attributes = {"strides": a["stride"], "pads": a["padding"] * 2, "dilations": a["dilation"], "group": a["groups"]}
    return b.add("Conv", [*u.inputs, *u.optional("weight", "bias")], **attributes)


def _conv_transpose(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    attributes = {"strides": a["stride"], "pads": a["padding"] * 2, "dilations": a["dilation"], "group": a["groups"]}
    tensors = u.optional("weight", "bias")
    return b.add("ConvTranspose", [*u.inputs, *tensors], output_padding=a["output_padding"], **attributes)


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
            return _maxima(b, u.inputs[0], sizes, output)
        means = [b.constant("means", _means(*axis)) for axis in zip(sizes, output, strict=True)]
        x = u.inputs[0] if len(means) == 1 else b.add("MatMul", [means[0], *u.inputs])
        return b.add("MatMul", [x, b.add("Transpose", [means[-1]], perm=[1, 0])])

    return write


def _maxima(b: OnnxBuilder, x: str, sizes: Shape, output: Shape) -> str:
    """Axis by axis, the elements of each window on an axis of their own; the last fills up those that are shorter."""
    for axis, (size, count) in enumerate(zip(sizes, output, strict=True), 2):
        windows = _windows(size, count)
        places = np.arange(max(map(len, windows)))
        rows = np.array([np.minimum(window.start + places, window.stop - 1) for window in windows], np.int64)
        x = b.add("ReduceMax", [b.add("Gather", [x, b.constant("rows", rows)], axis=axis)], axes=[axis + 1], keepdims=0)
    return x


def _means(size: int, count: int) -> Array:
    """The matrix of shape ``(count, size)`` of means over windows that share an axis evenly."""
    matrix = np.zeros((count, size), np.float32)
    for row, window in zip(matrix, _windows(size, count), strict=True):
        row[window.start : window.stop] = 1 / len(window)
    return matrix


def _windows(size: int, count: int) -> list[range]:
    """Windows that share an axis evenly."""
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


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


def _embedding(b: OnnxBuilder, u: Use) -> str:
    """Numbers beyond the table take its ends, which a Gather would refuse."""
    (x,), limits = u.inputs, [0, u.param_shapes["weight"][0] - 1]
    number = b.integers.get(x)
    if number is None:
        number = b.add("Cast", [b.add("Clip", [x, b.number(0), b.number(2.0**62)])], to=TensorProto.INT64)
    row = b.add("Clip", [number, *(b.constant("row", np.array(limit, np.int64)) for limit in limits)])
    return b.add("Gather", [u.params["weight"], row], axis=0)


WRITERS: dict[str, Writer] = {
    "conv2d": _conv,
    "conv1d": _conv,
    "conv_transpose2d": _conv_transpose,
    "conv_transpose1d": _conv_transpose,
    "embedding": _embedding,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive("AveragePool", "GlobalAveragePool"),
    "adaptive_max_pool2d": _adaptive("MaxPool", "GlobalMaxPool"),
    "max_pool1d": _max_pool,
    "avg_pool1d": _avg_pool,
    "adaptive_avg_pool1d": _adaptive("AveragePool", "GlobalAveragePool"),
    "adaptive_max_pool1d": _adaptive("MaxPool", "GlobalMaxPool"),
    "resize": _resize,
}
