"""Activations, and dropout that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional as F

from .....dcformat import Value
from ..fx_builder import FxBuilder
from .clamps import CLAMPS, OURS, limits
from .table import Args, Call, lowers

aten = torch.ops.aten


@lowers(*CLAMPS)
def _clamp(g: FxBuilder, a: Args) -> Value:
    assert g.node is not None
    found = limits(g.node)
    if found is None or found not in OURS:
        g.fail(f"limits must be 0 and none (relu) or 0 and 6 (relu6), found {_in_words(found)}")
    return g.append(OURS[found], [g.value(a["self"])])


def _in_words(found: tuple[float, float] | None) -> str:
    return " and ".join(f"{x:g}" for x in found) if found else "another value below the threshold"


@lowers(aten.leaky_relu.default)
def _leaky_relu(g: FxBuilder, a: Args) -> Value:
    return g.append("leaky_relu", [g.value(a["self"])], attrs={"negative_slope": float(a["negative_slope"])})


@lowers(aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default, any_place=True)
def _softmax(g: FxBuilder, a: Args) -> Value:
    axis = g.axis(a["self"], a["dim"])
    assert g.node is not None
    return g.emit("softmax", [a["self"]], attrs={"axis": axis, "log": "log_softmax" in str(g.node.target)})


@lowers(
    aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default, aten.feature_alpha_dropout.default
)
def _dropout(g: FxBuilder, a: Args) -> Any:
    if a["train"] and a["p"]:
        g.fail(DROPOUT_MODULE if _is_dropout_module(g) else DROPOUT_FUNCTION)
    return g.value(a["input"])


@lowers(aten.native_dropout.default)
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
    "leaky_relu": lambda x, p, a: F.leaky_relu(x[0], a["negative_slope"]),
    "softmax": lambda x, p, a: (F.log_softmax if a["log"] else F.softmax)(x[0], a["axis"] + 1),
}
