"""Operators that move elements: ours as ONNX's."""

from __future__ import annotations

import numpy as np

from .builder import OnnxBuilder
from .use import Use, Writer, plain


def _concat(b: OnnxBuilder, u: Use) -> str:
    return b.add("Concat", u.inputs, axis=u.attrs["axis"] + 1)


def _slice(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    bounds = [b.ints(a["start"]), b.ints(a["stop"]), b.ints(a["axis"] + 1), b.ints(a["step"])]
    return b.add("Slice", [*u.inputs, *bounds])


def _pad(b: OnnxBuilder, u: Use) -> str:
    return b.add("Pad", [*u.inputs, b.ints(0, *u.attrs["before"], 0, *u.attrs["after"])])


def _pad_constant(b: OnnxBuilder, u: Use) -> str:
    with np.errstate(over="ignore"):  # beyond the range of fp32 it is infinite
        value = b.number(u.attrs["value"])
    return b.add("Pad", [*u.inputs, b.ints(0, *u.attrs["before"], 0, *u.attrs["after"]), value])


def _permute(b: OnnxBuilder, u: Use) -> str:
    return b.add("Transpose", u.inputs, perm=[0, *(axis + 1 for axis in u.attrs["axes"])])


def _expand(b: OnnxBuilder, u: Use) -> str:
    return b.add("Expand", [*u.inputs, b.ints(1, *u.shape)])  # 1 keeps the batch


def _take(b: OnnxBuilder, u: Use) -> str:
    return b.add("Gather", [*u.inputs, b.ints(*u.attrs["indices"])], axis=u.attrs["axis"] + 1)


def _reshape(b: OnnxBuilder, u: Use) -> str:
    return b.add("Reshape", [*u.inputs, b.ints(0, *u.shape)])  # 0 keeps the batch


def _constant(b: OnnxBuilder, u: Use) -> str:
    """A tensor once for each sample: its shape follows the input's."""
    one = b.add("Reshape", [u.params["value"], b.ints(1, *u.shape)])
    return b.add("Expand", [one, b.add("Concat", [b.batch(), b.ints(*u.shape)], axis=0)])


WRITERS: dict[str, Writer] = {
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "pad_constant": _pad_constant,
    "permute": _permute,
    "expand": _expand,
    "take": _take,
    "flatten": plain("Flatten"),
    "reshape": _reshape,
    "constant": _constant,
}
