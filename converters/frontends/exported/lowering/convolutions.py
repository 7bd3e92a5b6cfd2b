"""Convolutions and transposed convolutions, of images and of lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FIRST_ONLY, FxBuilder, meta
from . import folded
from .table import Args, Call, lowers, params, per_axis

aten = torch.ops.aten

VOLUMES = "layers on volumes are not supported: dcz has layers on lines (C, L) and on images (C, H, W)"


def _axes(g: FxBuilder, a: Args) -> int:
    """How many axes the kernel has."""
    axes: int = meta(a["weight"]).dim() - 2
    g.require(axes in (1, 2), VOLUMES)
    return axes


def _attrs(a: Args, axes: int, *more: str) -> dict[str, Attr]:
    names = ("stride", "padding", "dilation", *more)
    return {**{name: per_axis(a[name], axes) for name in names}, "groups": a["groups"]}


def _plain(g: FxBuilder, a: Args, axes: int, attrs: Mapping[str, Attr]) -> Value:
    kernel = tuple(meta(a["weight"]).shape[2:])
    return folded.layer(g, f"conv{axes}d", a["input"], params(g, a, "weight", "bias"), attrs, kernel)


@lowers(aten.conv1d.default, aten.conv2d.default, any_place=True)
def _conv(g: FxBuilder, a: Args) -> Value:
    axes = _axes(g, a)
    return _plain(g, a, axes, _attrs(a, axes))


@lowers(aten.conv_transpose1d.default, aten.conv_transpose2d.input)
def _conv_transpose(g: FxBuilder, a: Args) -> Value:
    axes = _axes(g, a)
    return g.emit(
        f"conv_transpose{axes}d", [a["input"]], params(g, a, "weight", "bias"), _attrs(a, axes, "output_padding")
    )


@lowers(aten.convolution.default, any_place=True)
def _convolution(g: FxBuilder, a: Args) -> Value:
    if not a["transposed"]:
        return _conv(g, a)
    g.require(g.is_first(a["input"]), FIRST_ONLY)
    return _conv_transpose(g, a)


@lowers(aten.conv1d.padding, aten.conv2d.padding, any_place=True)
def _conv_padding(g: FxBuilder, a: Args) -> Value:
    axes = _axes(g, a)
    totals = [0] * axes
    if a["padding"] == "same":
        kernel, dilation = meta(a["weight"]).shape[2:], per_axis(a["dilation"], axes)
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    # An odd total puts the extra row or column after, as PyTorch does; a convolution pads both ends alike.
    before = (0, *(t // 2 for t in totals))
    extra = (0, *(t % 2 for t in totals))
    attrs = _attrs({**a, "padding": before[1:]}, axes)
    if not any(extra):
        return _plain(g, a, axes, attrs)
    g.require(g.is_first(a["input"]), FIRST_ONLY)
    after = tuple(b + e for b, e in zip(before, extra, strict=True))
    padded = g.emit("pad", [a["input"]], attrs={"before": before, "after": after})
    return g.append(f"conv{axes}d", [padded], params(g, a, "weight", "bias"), {**attrs, "padding": (0,) * axes})


@lowers(
    aten.conv3d.default,
    aten.conv3d.padding,
    aten.conv_transpose3d.input,
    aten.max_pool3d.default,
    aten.max_pool3d_with_indices.default,
    aten.adaptive_avg_pool3d.default,
    aten._adaptive_avg_pool3d.default,
    aten.adaptive_max_pool3d.default,
    aten.upsample_nearest3d.vec,
    aten.upsample_trilinear3d.vec,
)
def _volume(g: FxBuilder, a: Args) -> Any:
    g.fail(VOLUMES)


def _call(function: Any) -> Call:
    def call(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
        result: Tensor = function(x[0], p["weight"], p.get("bias"), **a)
        return result

    return call


CALLS: Mapping[str, Call] = {
    "conv1d": _call(F.conv1d),
    "conv2d": _call(F.conv2d),
    "conv_transpose1d": _call(F.conv_transpose1d),
    "conv_transpose2d": _call(F.conv_transpose2d),
}
