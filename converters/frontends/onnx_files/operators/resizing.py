"""Resize and Upsample. torch lacks some of their forms, and our operator has them: a program calls that one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .....dcformat import Attr, Value
from .....dcformat.graph.ops.resize import COORDINATES, ROUNDINGS, SCALES
from ...exported.fx_builder import FxBuilder
from ...exported.lowering.resizing import CALLS
from ...exported.lowering.table import Args, lowers
from ..step import OnnxNode
from .table import translates


@torch.library.custom_op("dcz::resize", mutates_args=())
def resize(
    x: Tensor, output: list[int], mode: str, coordinates: str, rounding: str, scales: list[float], cubic_a: float
) -> Tensor:
    """Our operator ``resize`` on a batch of lines or images.

    Parameters
    ----------
    x : Tensor, shape ``(N, C, L)`` or ``(N, C, H, W)``
    output : list of int
        The last axes afterwards.
    mode, coordinates, rounding, scales, cubic_a
        As of our operator.
    """
    return CALLS["resize"]([x], {}, _attributes(output, mode, coordinates, rounding, scales, cubic_a)).clone()


@resize.register_fake
def _(
    x: Tensor, output: list[int], mode: str, coordinates: str, rounding: str, scales: list[float], cubic_a: float
) -> Tensor:
    return x.new_empty((*x.shape[:2], *output))


def _attributes(
    output: list[int], mode: str, coordinates: str, rounding: str, scales: list[float], cubic_a: float
) -> dict[str, Attr]:
    named = {"scale_y": 0.0, "scale_x": 0.0} | dict(zip(SCALES[len(output)], scales, strict=True))
    form: dict[str, Attr] = {"mode": mode, "coordinates": coordinates, "rounding": rounding, "cubic_a": cubic_a}
    return {"output": tuple(output), **form, **named}


@lowers(torch.ops.dcz.resize.default)
def _lower_resize(g: FxBuilder, a: Args) -> Value:
    attributes = {name: value for name, value in a.items() if name != "x"}
    return g.emit("resize", [a["x"]], attrs=_attributes(**attributes))


@translates("Resize")
def _resize(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    if n.opset == 10:
        return _interpolated(n, x, _scales(n, x, 1), None, "asymmetric", "floor")
    n.require(not n.attribute("antialias", 0), "antialias is not supported")
    n.require(not n.attribute("exclude_outside", 0), "exclude_outside is not supported")
    policy = n.attribute("keep_aspect_ratio_policy", "stretch")
    n.require(policy == "stretch", f"keep_aspect_ratio_policy {policy} is not supported")
    coordinates = n.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = n.attribute("nearest_mode", "round_prefer_floor")
    sizes = _of_all_axes(n, x, n.numbers(3), list(x.shape)) if n.has(3) and n.numbers(3).size else None
    scales = None if sizes else _scales(n, x, 2)
    return _interpolated(n, x, scales, sizes, coordinates, rounding)


@translates("Upsample")
def _upsample(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    return _interpolated(n, x, _scales(n, x, 1), None, "asymmetric", "floor")


def _scales(n: OnnxNode, x: Tensor, index: int) -> list[float]:
    given: Any = n.numbers(index) if n.has(index) else n.attribute("scales")
    return [float(scale) for scale in _of_all_axes(n, x, given, [1.0] * x.dim())]


def _of_all_axes(n: OnnxNode, x: Tensor, given: Any, default: list[Any]) -> list[Any]:
    """Numbers for all axes, where newer versions may name some axes alone."""
    full = list(default)
    for axis, value in zip(n.attribute("axes", range(x.dim())), np.asarray(given).tolist(), strict=True):
        full[axis] = value
    return full


def _interpolated(
    n: OnnxNode, x: Tensor, scales: list[float] | None, sizes: list[int] | None, coordinates: str, rounding: str
) -> Tensor:
    mode = n.attribute("mode", "nearest")
    n.require(x.dim() in (3, 4), f"a value of {x.dim()} axes cannot be resized, only lines and images")
    n.require(coordinates in COORDINATES, f"coordinate_transformation_mode {coordinates} is not supported")
    n.require(rounding in ROUNDINGS, f"nearest_mode {rounding} is not known")
    if sizes is None:
        assert scales is not None
        sizes = [int(np.floor(np.float32(size) * np.float32(s))) for size, s in zip(x.shape, scales, strict=True)]
    n.require(sizes[:2] == list(x.shape[:2]), "only height and width can be resized")
    output = sizes[2:]
    stated = [0.0] * len(output)
    if scales is not None:
        axes = zip(scales[2:], x.shape[2:], output, strict=True)
        stated = [0.0 if scale * size == length else scale for scale, size, length in axes]
    form = "linear" if mode == "bilinear" else mode
    cubic_a = float(n.attribute("cubic_coeff_a", -0.75))
    resized: Tensor = resize(x, output, form, coordinates, rounding, stated, cubic_a)
    return resized
