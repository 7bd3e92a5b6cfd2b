"""Activations, and dropout that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder
from .clamps import CLAMPS, OURS, limits
from .table import Args, Call, lowers

aten = torch.ops.aten

SELU = {"alpha": 1.6732632423543772, "scale": 1.0507009873554805}
"""Klambauer et al. 2017, as torch has it."""


@lowers(*CLAMPS)
def _clamp(g: FxBuilder, a: Args) -> Value:
    assert g.node is not None
    found = limits(g.node)
    if found is None:
        g.fail("another value below the threshold is not supported")
    if found in OURS:
        return g.append(OURS[found], [g.value(a["self"])])
    return _append(g, a, "clamp", low=min(found), high=found[1])


def _append(g: FxBuilder, a: Args, op: str, **numbers: float) -> Value:
    """Append an activation with numbers as attributes."""
    attrs: dict[str, Attr] = {name: float(number) for name, number in numbers.items()}
    return g.append(op, [g.value(a["self"])], attrs=attrs)


@lowers(aten.sigmoid.default)
def _sigmoid(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "sigmoid")


@lowers(aten.log_sigmoid.default)
def _log_sigmoid(g: FxBuilder, a: Args) -> Value:
    negative = _append(g, a, "affine", scale=-1)
    return g.append("affine", [g.append("softplus", [negative], attrs={"threshold": 100.0})], attrs={"scale": -1.0})


@lowers(aten.silu.default)
def _silu(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "silu")


@lowers(aten.gelu.default)
def _gelu(g: FxBuilder, a: Args) -> Value:
    return g.append("gelu", [g.value(a["self"])], attrs={"tanh": a["approximate"] == "tanh"})


@lowers(aten.glu.default, any_place=True)
def _glu(g: FxBuilder, a: Args) -> Value:
    value, axis = g.read(a["self"]), g.axis(a["self"], a["dim"])
    size = value.shape[axis]
    first, second = (
        g.append("slice", [value], attrs={"axis": axis, "start": start, "stop": start + size // 2})
        for start in (0, size // 2)
    )
    return g.append("mul", [first, g.append("sigmoid", [second])])


@lowers(aten.tanh.default)
def _tanh(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "tanh")


@lowers(aten.hardsigmoid.default)
def _hardsigmoid(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "hardsigmoid")


@lowers(aten.hardswish.default)
def _hardswish(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "hardswish")


@lowers(aten.mish.default)
def _mish(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "mish")


@lowers(aten.elu.default)
def _elu(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "elu", alpha=a["alpha"], scale=a["scale"], input_scale=a["input_scale"])


@lowers(aten.selu.default)
def _selu(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "elu", **SELU)


@lowers(aten.celu.default)
def _celu(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "elu", alpha=a["alpha"], input_scale=1 / a["alpha"])


@lowers(aten.softplus.default)
def _softplus(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "softplus", beta=a["beta"], threshold=a["threshold"])


@lowers(aten.leaky_relu.default)
def _leaky_relu(g: FxBuilder, a: Args) -> Value:
    return _append(g, a, "leaky_relu", negative_slope=a["negative_slope"])


@lowers(aten.prelu.default)
def _prelu(g: FxBuilder, a: Args) -> Value:
    return g.emit("prelu", [a["self"]], {"weight": g.param(a["weight"], "weight")})


@lowers(aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default, any_place=True)
def _softmax(g: FxBuilder, a: Args) -> Value:
    axis = g.axis(a["self"], a["dim"])
    assert g.node is not None
    return g.emit("softmax", [a["self"]], attrs={"axis": axis, "log": "log_softmax" in str(g.node.target)})


@lowers(
    aten.dropout.default,
    aten.feature_dropout.default,
    aten.alpha_dropout.default,
    aten.feature_alpha_dropout.default,
    any_place=True,
)
def _dropout(g: FxBuilder, a: Args) -> Any:
    if a["train"] and a["p"]:
        g.fail(DROPOUT_MODULE if _is_dropout_module(g) else DROPOUT_FUNCTION)
    return g.value(a["input"])


@lowers(aten.native_dropout.default, any_place=True)
def _native_dropout(g: FxBuilder, a: Args) -> list[Any]:
    return [_dropout(g, a)]


DROPOUT_MODULE = "dropout is switched on; export in eval mode (model.eval())"
DROPOUT_FUNCTION = (
    "dropout is switched on, as F.dropout(x) is even in eval mode; pass training=self.training, "
    "and export in eval mode (model.eval())"
)


def _is_dropout_module(g: FxBuilder) -> bool:
    """Whether the node stands in the forward of one of torch's dropout modules, which know their mode."""
    assert g.node is not None
    modules = list(g.node.meta.get("nn_module_stack", {}).values())
    return bool(modules) and "torch.nn.modules.dropout" in str(modules[-1][1])


CALLS: Mapping[str, Call] = {
    "relu": lambda x, p, a: F.relu(x[0]),
    "relu6": lambda x, p, a: F.relu6(x[0]),
    "clamp": lambda x, p, a: x[0].clamp(a["low"], a["high"]),
    "leaky_relu": lambda x, p, a: F.leaky_relu(x[0], a["negative_slope"]),
    "prelu": lambda x, p, a: F.prelu(x[0], p["weight"]),
    "sigmoid": lambda x, p, a: x[0].sigmoid(),
    "silu": lambda x, p, a: F.silu(x[0]),
    "gelu": lambda x, p, a: F.gelu(x[0], approximate="tanh" if a["tanh"] else "none"),
    "hardsigmoid": lambda x, p, a: (x[0] * a["alpha"] + a["beta"]).clamp(0, 1),
    "hardswish": lambda x, p, a: F.hardswish(x[0]),
    "tanh": lambda x, p, a: x[0].tanh(),
    "elu": lambda x, p, a: aten.elu(x[0], a["alpha"], a["scale"], a["input_scale"]),
    "softplus": lambda x, p, a: F.softplus(x[0], a["beta"], a["threshold"]),
    "mish": lambda x, p, a: F.mish(x[0]),
    "softmax": lambda x, p, a: (F.log_softmax if a["log"] else F.softmax)(x[0], a["axis"] + 1),
}
