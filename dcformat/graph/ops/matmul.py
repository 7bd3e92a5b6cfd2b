"""Products of two values, and attention. Axes before the last two are broadcast as NumPy does, within a sample."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, fp32, require


def _leading(shapes: list[Shape]) -> Shape:
    """What the axes before the last two are broadcast to."""
    for shape in shapes:
        require(len(shape) >= 2, f"inputs must have two axes at least, found {list(shape)}")
    try:
        return np.broadcast_shapes(*(shape[:-2] for shape in shapes))
    except ValueError:
        found = [list(shape[:-2]) for shape in shapes]
        raise ValueError(f"axes before the last two do not broadcast to one shape: {found}") from None


def _aligned(*values: Array) -> list[Array]:
    """Values of as many axes each, new ones behind the batch."""
    rank = max(value.ndim for value in values)
    return [value.reshape(len(value), *(1,) * (rank - value.ndim), *value.shape[1:]) for value in values]


def _matmul_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    a, b = inputs
    leading = _leading(inputs)
    require(a[-1] == b[-2], f"{a[-1]} columns of the first input do not fit {b[-2]} rows of the second")
    return (*leading, a[-2], b[-1])


def matmul(a: Array, b: Array) -> Array:
    """Product of the matrices of the last two axes."""
    a, b = _aligned(a, b)
    product: Array = a @ b
    return product


def _attention_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    q, k, v = inputs[:3]
    leading = _leading(inputs[:3])
    require(fp32(attrs["scale"]), f"scale must be a finite fp32 number, found {attrs['scale']}")
    require(q[-1] == k[-1], f"{q[-1]} columns of the queries do not fit {k[-1]} of the keys")
    require(k[-2] == v[-2], f"{k[-2]} keys do not fit {v[-2]} values")
    for mask in inputs[3:]:
        size = (q[-2], k[-2])
        require(mask[-2:] == size, f"the mask must end in the axes {list(size)}, found {list(mask)}")
        leading = _leading([(*leading, *size), mask])
    return (*leading, q[-2], v[-1])


def attention(q: Array, k: Array, v: Array, *mask: Array, scale: float, causal: bool) -> Array:
    """``softmax(scale * q k^T + mask) v`` (Vaswani et al. 2017); if causal, query i sees the keys up to i alone."""
    q, k, v, *mask_values = _aligned(q, k, v, *mask)
    scores = scale * (q @ k.swapaxes(-1, -2))
    for bias in mask_values:
        scores = scores + bias
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    result: Array = weights / weights.sum(-1, keepdims=True) @ v
    return result


OPS = {
    "matmul": OpSpec(_matmul_shape, matmul, inputs=(2, 2), minor_version=1),
    "attention": OpSpec(
        _attention_shape, attention, inputs=(3, 4), attrs={"scale": float, "causal": False}, minor_version=1
    ),
}
