"""Operators whose elements depend on all others of some axes: ours as ONNX's."""

from __future__ import annotations

from .builder import OnnxBuilder
from .use import Use, Writer


def _softmax(b: OnnxBuilder, u: Use) -> str:
    return b.add("LogSoftmax" if u.attrs["log"] else "Softmax", u.inputs, axis=u.attrs["axis"] + 1)


def _reduction(op: str) -> Writer:
    return lambda b, u: b.add(op, u.inputs, axes=_axes(u))


def _sum(b: OnnxBuilder, u: Use) -> str:
    """The one reduction of operator set 17 that takes its axes as an input."""
    return b.add("ReduceSum", [*u.inputs, b.ints(*_axes(u))])


def _axes(u: Use) -> list[int]:
    return [axis + 1 for axis in u.attrs["axes"]]


WRITERS: dict[str, Writer] = {
    "softmax": _softmax,
    "reduce_mean": _reduction("ReduceMean"),
    "reduce_sum": _sum,
    "reduce_max": _reduction("ReduceMax"),
    "reduce_min": _reduction("ReduceMin"),
    "reduce_l2": _reduction("ReduceL2"),
}
