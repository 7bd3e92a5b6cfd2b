"""Products of matrices, and attention: our operators as ONNX's."""

from __future__ import annotations

from math import inf

import numpy as np

from .builder import OnnxBuilder
from .use import Use, Writer, aligned, broadcast


def _linear(b: OnnxBuilder, u: Use) -> str:
    """Rows of a sample become samples: a Gemm has two axes."""
    (x,), tensors = u.inputs, u.optional("weight", "bias")
    if len(u.shape) == 1:
        return b.add("Gemm", [x, *tensors], transB=1)
    rows = b.add("Reshape", [x, b.ints(-1, u.input_shapes[0][-1])])
    return b.add("Reshape", [b.add("Gemm", [rows, *tensors], transB=1), b.ints(-1, *u.shape)])


def _attention(b: OnnxBuilder, u: Use) -> str:
    q, k, v, *mask = aligned(b, u)
    axes = max(len(shape) for shape in u.input_shapes) + 1
    turned = b.add("Transpose", [k], perm=[*range(axes - 2), axes - 1, axes - 2])
    scores = b.add("Mul", [b.add("MatMul", [q, turned]), b.number(u.attrs["scale"])])
    for bias in mask:
        scores = b.add("Add", [scores, bias])
    if u.attrs["causal"]:
        seen = np.tri(u.input_shapes[0][-2], u.input_shapes[1][-2], dtype=np.bool_)
        scores = b.add("Where", [b.constant("seen", seen), scores, b.number(-inf)])
    return b.add("MatMul", [b.add("Softmax", [scores], axis=-1), v])


WRITERS: dict[str, Writer] = {
    "linear": _linear,
    "matmul": broadcast("MatMul"),
    "attention": _attention,
}
