"""Interpolation of images and of lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .....dcformat import Attr, Value
from .....dcformat.graph.ops.resize import SCALES, axis_taps
from ..fx_builder import FxBuilder
from .table import Args, Call, lowers

aten = torch.ops.aten

NEAREST: Mapping[str, Attr] = {"mode": "nearest", "coordinates": "asymmetric", "rounding": "floor"}
EXACT: Mapping[str, Attr] = {"mode": "nearest", "coordinates": "half_pixel", "rounding": "round_prefer_ceil"}


@lowers(
    *(aten.upsample_nearest1d.vec, aten.upsample_nearest1d.default),
    *(aten.upsample_nearest2d.vec, aten.upsample_nearest2d.default),
)
def _nearest(g: FxBuilder, a: Args) -> Value:
    return _resize(g, a, NEAREST)


@lowers(
    *(aten._upsample_nearest_exact1d.vec, aten._upsample_nearest_exact1d.default),
    *(aten._upsample_nearest_exact2d.vec, aten._upsample_nearest_exact2d.default),
)
def _nearest_exact(g: FxBuilder, a: Args) -> Value:
    return _resize(g, a, EXACT)


@lowers(
    *(aten.upsample_linear1d.vec, aten.upsample_linear1d.default),
    *(aten.upsample_bilinear2d.vec, aten.upsample_bilinear2d.default),
)
def _linear(g: FxBuilder, a: Args) -> Value:
    return _resize(g, a, {"mode": "linear", "coordinates": _coordinates(a)})


@lowers(aten.upsample_bicubic2d.vec, aten.upsample_bicubic2d.default)
def _cubic(g: FxBuilder, a: Args) -> Value:
    return _resize(g, a, {"mode": "cubic", "coordinates": _coordinates(a)})


def _coordinates(a: Args) -> str:
    return "align_corners" if a["align_corners"] else "half_pixel"


def _resize(g: FxBuilder, a: Args, attrs: Mapping[str, Attr]) -> Value:
    source = a["input"] if "input" in a else a["self"]
    assert g.node is not None
    sizes, output = g.shape_of(source)[1:], g.shape_of(g.node)[1:]
    given = a["scale_factors"] if "scale_factors" in a else [a[name] for name in a if name.startswith("scales")]
    scales = [
        0.0 if scale is None or scale * size == length or attrs["coordinates"] == "align_corners" else float(scale)
        for scale, size, length in zip(given or [None] * len(sizes), sizes, output, strict=True)
    ]
    if attrs["mode"] == "nearest":
        for axis in zip(sizes, output, scales, strict=True):
            _check_nearest(g, *axis, attrs)
    named = dict(zip(SCALES[len(sizes)], scales, strict=True))
    return g.emit("resize", [source], attrs={"output": output, **attrs, **named})


def _check_nearest(g: FxBuilder, size: int, output: int, scale: float, attrs: Mapping[str, Attr]) -> None:
    """Refuse sizes for which torch, whose coordinates are fp32, takes other elements than exact ones name."""
    nearest = aten._upsample_nearest_exact1d if attrs is EXACT else aten.upsample_nearest1d
    elements = torch.arange(size, dtype=torch.float32).reshape(1, 1, size)
    found = nearest.default(elements, [output], scale or None).reshape(-1).numpy()
    expected = axis_taps(size, output, scale, attrs)[0][:, 0]
    wrong = np.flatnonzero(found != expected)
    if len(wrong):
        at = wrong[0]
        g.fail(
            f"from {size} to {output} elements, torch rounds the place of output {at} to element {found[at]:g}, where "
            f"it is {expected[at]}; resize to another size"
        )


def _call_resize(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    """By torch's own interpolation where it has that form, else by weighted sums of elements."""
    interpolate = _interpolation(a)
    if interpolate is None:
        return _by_taps(x[0], a)
    result: Tensor = interpolate(x[0], a["output"], *(a[name] or None for name in SCALES[len(a["output"])]))
    return result


def _interpolation(a: Mapping[str, Any]) -> Callable[..., Tensor] | None:
    axes, form, aligned = len(a["output"]), {name: a[name] for name in NEAREST}, a["coordinates"] == "align_corners"
    if form == NEAREST:
        return (aten.upsample_nearest1d, aten.upsample_nearest2d)[axes - 1]
    if form == EXACT:
        return (aten._upsample_nearest_exact1d, aten._upsample_nearest_exact2d)[axes - 1]
    if a["mode"] == "nearest" or a["coordinates"] not in ("half_pixel", "align_corners"):
        return None
    if a["mode"] == "linear":
        call = (aten.upsample_linear1d, aten.upsample_bilinear2d)[axes - 1]
    elif axes == 2 and a["cubic_a"] == -0.75:
        call = aten.upsample_bicubic2d
    else:
        return None
    return lambda x, output, *scales: call(x, output, aligned, *scales)


def _by_taps(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    for axis, (length, name) in enumerate(zip(a["output"], SCALES[len(a["output"])], strict=True), 2):
        indices, weights = (torch.from_numpy(each) for each in axis_taps(x.shape[axis], length, a[name], a))
        factors = weights.to(x.dtype).reshape(*weights.shape, *(1,) * (x.dim() - axis - 1))
        terms = [x.index_select(axis, indices[:, tap]) * factors[:, tap] for tap in range(indices.shape[1])]
        x = torch.stack(terms).sum(0)
    return x


CALLS: Mapping[str, Call] = {"resize": _call_resize}
