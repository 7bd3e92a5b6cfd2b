"""Functions of one element and arithmetic: our operators as ONNX's."""

from __future__ import annotations

from math import isinf, pi, sqrt

from onnx import TensorProto

from .builder import OnnxBuilder
from .use import Use, Writer, aligned, broadcast, plain

EXACT_THRESHOLD = 17.0
"""From here on log(1 + exp(x)) is x in fp32, so the threshold of a softplus changes nothing."""


def _leaky_relu(b: OnnxBuilder, u: Use) -> str:
    return b.add("LeakyRelu", u.inputs, alpha=u.attrs["negative_slope"])


def _relu6(b: OnnxBuilder, u: Use) -> str:
    return b.add("Clip", [*u.inputs, b.number(0), b.number(6)])


def _clamp(b: OnnxBuilder, u: Use) -> str:
    low, high = ("" if isinf(u.attrs[name]) else b.number(u.attrs[name]) for name in ("low", "high"))
    return b.add("Clip", [*u.inputs, low, high] if high else [*u.inputs, low])


def _affine(b: OnnxBuilder, u: Use) -> str:
    x = b.add("Mul", [*u.inputs, b.number(u.attrs["scale"])])
    return b.add("Add", [x, b.number(u.attrs["shift"])]) if u.attrs["shift"] else x


def _silu(b: OnnxBuilder, u: Use) -> str:
    return b.add("Mul", [*u.inputs, b.add("Sigmoid", u.inputs)])


def _gelu(b: OnnxBuilder, u: Use) -> str:
    """In parts: the operator set has none before version 20."""
    (x,) = u.inputs
    if u.attrs["tanh"]:
        cubic = b.add("Mul", [b.add("Pow", [x, b.number(3)]), b.number(0.044715)])
        gate = b.add("Tanh", [b.add("Mul", [b.add("Add", [x, cubic]), b.number(sqrt(2 / pi))])])
    else:
        gate = b.add("Erf", [b.add("Mul", [x, b.number(1 / sqrt(2))])])
    return b.add("Mul", [b.add("Mul", [x, b.add("Add", [gate, b.number(1)])]), b.number(0.5)])


def _hardsigmoid(b: OnnxBuilder, u: Use) -> str:
    return b.add("HardSigmoid", u.inputs, alpha=u.attrs["alpha"], beta=u.attrs["beta"])


def _elu(b: OnnxBuilder, u: Use) -> str:
    """Above 0 the value, below it ELU of a multiple of it."""
    (x,), a = u.inputs, u.attrs
    if a["input_scale"] == 1:
        y = b.add("Elu", [x], alpha=a["alpha"])
    else:
        below = b.add("Mul", [b.add("Min", [x, b.number(0)]), b.number(a["input_scale"])])
        y = b.add("Add", [b.add("Relu", [x]), b.add("Elu", [below], alpha=a["alpha"])])
    return y if a["scale"] == 1 else b.add("Mul", [y, b.number(a["scale"])])


def _softplus(b: OnnxBuilder, u: Use) -> str:
    (x,), beta, threshold = u.inputs, u.attrs["beta"], u.attrs["threshold"]
    scaled = x if beta == 1 else b.add("Mul", [x, b.number(beta)])
    y = b.add("Softplus", [scaled])
    y = y if beta == 1 else b.add("Div", [y, b.number(beta)])
    if threshold >= EXACT_THRESHOLD:
        return y
    return b.add("Where", [b.add("Greater", [scaled, b.number(threshold)]), x, y])


def _mish(b: OnnxBuilder, u: Use) -> str:
    return b.add("Mul", [*u.inputs, b.add("Tanh", [b.add("Softplus", u.inputs)])])


def _prelu(b: OnnxBuilder, u: Use) -> str:
    slope = b.add("Reshape", [u.params["weight"], b.ints(-1, *(1,) * (len(u.shape) - 1))])
    return b.add("PRelu", [*u.inputs, slope])


def _power(b: OnnxBuilder, u: Use) -> str:
    return b.add("Pow", [*u.inputs, b.number(u.attrs["exponent"])])


def _comparison(op: str) -> Writer:
    return lambda b, u: b.add("Cast", [b.add(op, aligned(b, u))], to=TensorProto.FLOAT)


def _mask(b: OnnxBuilder, u: Use) -> str:
    x, by = aligned(b, u)
    return b.add("Where", [b.add("Equal", [by, b.number(0)]), b.number(0), x])


WRITERS: dict[str, Writer] = {
    "relu": plain("Relu"),
    "relu6": _relu6,
    "clamp": _clamp,
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "elu": _elu,
    "sigmoid": plain("Sigmoid"),
    "silu": _silu,
    "gelu": _gelu,
    "hardsigmoid": _hardsigmoid,
    "hardswish": plain("HardSwish"),
    "tanh": plain("Tanh"),
    "softplus": _softplus,
    "mish": _mish,
    "affine": _affine,
    "power": _power,
    "abs": plain("Abs"),
    "ceil": plain("Ceil"),
    "cos": plain("Cos"),
    "erf": plain("Erf"),
    "floor": plain("Floor"),
    "round": plain("Round"),
    "exp": plain("Exp"),
    "log": plain("Log"),
    "sin": plain("Sin"),
    "sqrt": plain("Sqrt"),
    "reciprocal": plain("Reciprocal"),
    "add": broadcast("Add"),
    "sub": broadcast("Sub"),
    "mul": broadcast("Mul"),
    "div": broadcast("Div"),
    "maximum": broadcast("Max"),
    "minimum": broadcast("Min"),
    "pow": broadcast("Pow"),
    "equal": _comparison("Equal"),
    "less": _comparison("Less"),
    "mask": _mask,
}
