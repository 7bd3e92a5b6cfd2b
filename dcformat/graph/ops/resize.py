"""Resizing of images and lines: nearest, linear and cubic interpolation in the coordinates of ONNX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, integers, require

MODES = ("nearest", "linear", "cubic")
COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUND: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}
ROUNDINGS = tuple(ROUND)
CHOICES = {"mode": MODES, "coordinates": COORDINATES, "rounding": ROUNDINGS}
LARGEST_SCALE = 2.0**20
LONGEST = 1 << 22
"""Most elements of an axis that is made: an element takes some hundred bytes of tables while a plan is made."""
SCALES = {1: ("scale_x",), 2: ("scale_y", "scale_x")}
"""The attributes with the scale of each axis, by how many axes there are."""
Taps: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]


def _resize_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), output = inputs, integers(attrs, "output")
    require(len(x) in (2, 3), f"input must be (C, L) or (C, H, W), found {list(x)}")
    fits = len(output) == len(x) - 1 and min(output) > 0 and max(output) <= LONGEST
    require(fits, f"output must have {len(x) - 1} integers from 1 to {LONGEST}, found {list(output)}")
    for name, known in CHOICES.items():
        require(attrs[name] in known, f"{name} must be one of {', '.join(known)}, found {attrs[name]!r}")
    for name in SCALES[2]:
        scale = cast(float, attrs[name])
        fits = scale == 0 or 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE
        require(fits, f"{name} must be 0 or lie in 2^-20..2^20, found {scale}")
    require(abs(cast(float, attrs["cubic_a"])) <= 4, f"cubic_a must lie in -4..4, found {attrs['cubic_a']}")
    return x[0], *output


def positions(size: int, output: int, scale: float, coordinates: str) -> NDArray[np.float64]:
    """Where each of `output` elements lies among `size` (ONNX 1.16, operator Resize).

    Parameters
    ----------
    size, output : int
    scale : float
        Elements of the output for each of the input; 0 stands for ``output / size``.
    coordinates : str
        One of `COORDINATES`.
    """
    i = np.arange(output, dtype=np.float64)
    if coordinates == "align_corners":
        return i * (size - 1) / max(1, output - 1)
    if coordinates == "pytorch_half_pixel" and output == 1:
        return i
    half = 0.0 if coordinates == "asymmetric" else 0.5
    return ((i + half) / scale if scale else (i + half) * size / output) - half


def axis_taps(size: int, output: int, scale: float, attrs: Attrs) -> Taps:
    """The elements that each output along one axis is the weighted sum of.

    Parameters
    ----------
    size, output : int
        Elements before and after.
    scale : float
    attrs : mapping of str to Attr
        Those of the operator.

    Returns
    -------
    indices : ndarray of int64, shape (output, taps)
        1, 2 or 4 taps, by the mode.
    weights : ndarray of float64, shape (output, taps)
    """
    at = positions(size, output, scale, cast(str, attrs["coordinates"]))
    if attrs["mode"] == "nearest":
        element = ROUND[cast(str, attrs["rounding"])](at).astype(np.int64)
        return np.clip(element, 0, size - 1)[:, None], np.ones((output, 1))
    if attrs["mode"] == "linear":
        at = np.clip(at, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    rest = at - low
    if attrs["mode"] == "linear":
        return np.stack([low, np.minimum(low + 1, size - 1)], axis=1), np.stack([1 - rest, rest], axis=1)
    distances = np.abs(rest[:, None] - np.arange(-1, 3))
    return np.clip(low[:, None] + np.arange(-1, 3), 0, size - 1), _cubic(distances, cast(float, attrs["cubic_a"]))


def _cubic(d: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Weight of an element at a distance below 2 (Keys 1981, equation 15, where a is -1/2)."""
    near = ((a + 2) * d - (a + 3)) * d**2 + 1
    return np.where(d <= 1, near, a * (((d - 5) * d + 8) * d - 4))


def resize(
    x: Array,
    output: tuple[int, ...],
    mode: str,
    coordinates: str,
    rounding: str,
    scale_y: float,
    scale_x: float,
    cubic_a: float,
) -> Array:
    """Interpolation along each axis; what lies outside is the element at the edge."""
    attrs: Attrs = {"mode": mode, "coordinates": coordinates, "rounding": rounding, "cubic_a": cubic_a}
    for axis, (length, name) in enumerate(zip(output, SCALES[len(output)], strict=True), 2):
        scale = {"scale_y": scale_y, "scale_x": scale_x}[name]
        indices, weights = axis_taps(x.shape[axis], length, scale, attrs)
        factors = weights.reshape(*weights.shape, *(1,) * (x.ndim - axis - 1))
        x = np.sum([np.take(x, indices[:, t], axis) * factors[:, t] for t in range(indices.shape[1])], axis=0)
    return x


OPS = {
    "resize": OpSpec(
        _resize_shape,
        resize,
        attrs={
            "output": tuple,
            "mode": "nearest",
            "coordinates": "asymmetric",
            "rounding": "floor",
            "scale_y": 0.0,
            "scale_x": 0.0,
            "cubic_a": -0.75,
        },
        minor_version=1,
    ),
}
