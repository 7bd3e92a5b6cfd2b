"""Products of matrices, and attention: our operators as ONNX's."""

from __future__ import annotations

from math import inf

import numpy as np

from .builder import OnnxBuilder
from .use import Use, Writer, aligned, broadcast


def _linear(b: OnnxBuilder, u: Use) -> str:
    if len(u.shape) == 1:
        return b.add("Gemm", [*u.inputs, *u.optional("weight", "bias")], transB=1)
    y = b.add("MatMul", [*u.inputs, b.add("Transpose", [u.params["weight"]], perm=[1, 0])])
    return b.add("Add", [y, u.params["bias"]]) if "bias" in u.params else y


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
