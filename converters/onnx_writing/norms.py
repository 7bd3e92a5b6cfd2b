"""Normalisation: our operators as ONNX's."""

from __future__ import annotations

from ...dcformat import Shape
from .builder import OnnxBuilder
from .use import Use, Writer


def _batch_norm(b: OnnxBuilder, u: Use) -> str:
    tensors = [*_scale_and_shift(b, u, u.shape[:1]), u.params["running_mean"], u.params["running_var"]]
    return b.add("BatchNormalization", [*u.inputs, *tensors], epsilon=u.attrs["eps"])


def _layer_norm(b: OnnxBuilder, u: Use) -> str:
    a = u.attrs
    tensors = _scale_and_shift(b, u, u.shape[-a["trailing"] :])
    return b.add("LayerNormalization", [*u.inputs, *tensors], axis=-a["trailing"], epsilon=a["eps"])


def _rms_norm(b: OnnxBuilder, u: Use) -> str:
    """In parts: the operator set has none before version 23."""
    (x,), a = u.inputs, u.attrs
    square = b.add("ReduceMean", [b.add("Mul", [x, x])], axes=range(-a["trailing"], 0))
    y = b.add("Div", [x, b.add("Sqrt", [b.add("Add", [square, b.number(a["eps"])])])])
    return b.add("Mul", [y, u.params["weight"]]) if "weight" in u.params else y


def _group_norm(b: OnnxBuilder, u: Use) -> str:
    """Each group as a channel of an instance norm: the operator set has no group norm before version 18."""
    groups, channels = u.attrs["groups"], (-1, *(1,) * (len(u.shape) - 1))
    parts = b.add("Reshape", [*u.inputs, b.ints(0, groups, -1)])
    tensors = [b.ones((groups,)), b.zeros((groups,))]
    y = b.add("InstanceNormalization", [parts, *tensors], epsilon=u.attrs["eps"])
    y = b.add("Reshape", [y, b.ints(0, *u.shape)])
    for role, op in (("weight", "Mul"), ("bias", "Add")):
        if role in u.params:
            y = b.add(op, [y, b.add("Reshape", [u.params[role], b.ints(*channels)])])
    return y


def _scale_and_shift(b: OnnxBuilder, u: Use, shape: Shape) -> list[str]:
    """Weight and bias: ones and zeros where they are not given."""
    return [u.params.get("weight") or b.ones(shape), u.params.get("bias") or b.zeros(shape)]


WRITERS: dict[str, Writer] = {
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
}
