"""The contract between planner and kernels: a layer's geometry, its epilogue, and a packed layer.

A kernel module offers a class that is made of ``(weight, tiling, epilogue)``, where the tiling holds the geometry: a
`PackedLayer`. The planner chooses one by cost, asks for its scratch and binds it to buffers once; after that a call
costs one function call and allocates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A compiled function and its arguments, ready to run as ``function(*arguments)``."""
Share = tuple[int, int]
"""A part of a layer's work: its number, from 0, and the number of parts."""
WHOLE: Share = (0, 1)
Tag = tuple[None, ...]
"""A tuple whose length tells a kernel at compile time how many parts something has, such as vectors of a tile."""


def tag(length: int) -> Tag:
    """Make a tag: of None, which takes the least time to pass to machine code."""
    return (None,) * length


@dataclass(frozen=True)
class ConvGeometry:
    """Sizes of a 2-D convolution over a batch.

    Input (batch, in_channels, height, width), output (batch, out_channels, out_height, out_width), both C-contiguous
    float32. `nonnegative` says whether no input is negative, whatever the network is given.
    """

    batch: int
    in_channels: int
    height: int
    width: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    out_height: int
    out_width: int
    nonnegative: bool = False


@dataclass(frozen=True)
class LinearGeometry:
    """Sizes of a fully connected layer: (batch, in_features) -> (batch, out_features), C-contiguous float32."""

    batch: int
    in_features: int
    out_features: int


@dataclass(frozen=True)
class Epilogue:
    """What is done to each output element before it is stored.

    ``min(max(scale[o] * sum + shift[o] + residual, low), high)``: bias and batch normalisation are folded into scale
    and shift, and every activation that clamps into low and high. NaN stays.

    Attributes
    ----------
    scale : ndarray of float32, shape (out_channels,), or None
        None stands for ones.
    shift : ndarray of float32, shape (out_channels,), or None
        None stands for zeros.
    residual : bool
        Whether a second tensor of the output's shape is added.
    low, high : float
        (0, inf) is ReLU, (0, 6) ReLU6.
    pool : bool
        Whether the maximum of each 2 x 2 outputs is stored in their place, without an odd last row or column. Some
        convolution kernels can do that, where there is no residual.
    overlap : bool
        Whether the windows of the pool are 3 x 3, two apart: of those that leave the image, none.
    """

    scale: F32 | None = None
    shift: F32 | None = None
    residual: bool = False
    low: float = -math.inf
    high: float = math.inf
    pool: bool = False
    overlap: bool = False

    def repeated(self, times: int) -> Epilogue:
        """The epilogue where each channel becomes several in a row."""
        scale, shift = (None if a is None else np.repeat(a, times) for a in (self.scale, self.shift))
        return replace(self, scale=scale, shift=shift)


class PackedLayer(Protocol):
    """Weights packed for one kernel, one geometry and one epilogue."""

    kernel_name: str
    """Name of the kernel, for tables: e.g. ``conv_sparse``, ``linear_dense``."""
    weight_bytes: int
    """Bytes that the packed weights take in memory."""
    scratch_elements: int
    """float32 elements of scratch that a call needs; their content does not matter before or after."""

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """Bind to buffers.

        Parameters
        ----------
        x, out, residual : ndarray of float32
            As the geometry says, C-contiguous; `out` overlaps neither `x` nor `scratch`, but may be `residual`.
        scratch : ndarray of float32, shape (>= scratch_elements,), 64-byte aligned
        share : tuple of int
            ``(i, n)``: bind part i of n of the work. All parts may run at once, each with scratch of its own; together
            they give the bits that the whole gives.

        Returns
        -------
        list of Call
            To be run in order. They hold views of the buffers, so nothing is allocated when they run. Empty if nothing
            falls to this part.
        """
        ...
