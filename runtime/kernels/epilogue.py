"""The epilogue in kernels: one array that carries it, and what is done with its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import simd
from ..jit import inlined
from .contract import F32, Epilogue


def epilogue_array(epilogue: Epilogue, channels: int, order: NDArray[Any] | slice = slice(None)) -> F32:
    """The numbers of an epilogue: the scale of each channel, the shift of each, the lower and the upper limit.

    Parameters
    ----------
    epilogue : Epilogue
    channels : int
    order : ndarray of int, optional
        The channels in the kernel's order; without it, all as they are.

    Returns
    -------
    ndarray of float32, shape (2 * channels + 2,)
    """
    scale = np.ones(channels, np.float32) if epilogue.scale is None else epilogue.scale
    shift = np.zeros(channels, np.float32) if epilogue.shift is None else epilogue.shift
    return np.concatenate([scale[order], shift[order], [epilogue.low, epilogue.high]], dtype=np.float32)


@inlined
def limits(epilogue: F32) -> tuple[Any, Any]:
    """The limits that outputs are clamped to."""
    return simd.get(epilogue, len(epilogue) - 2), simd.get(epilogue, len(epilogue) - 1)


@inlined
def scale_shift(epilogue: F32, channel: int) -> tuple[Any, Any]:
    """Scale and shift of a channel."""
    return simd.get(epilogue, channel), simd.get(epilogue, len(epilogue) // 2 - 1 + channel)


@inlined
def scale_shift_rows(sums: Any, rows_tag: Any, epilogue: F32, channel: int) -> Any:
    """The sums of as many channels as the tag is long, scaled and shifted."""
    return simd.scale_shift_rows(sums, rows_tag, epilogue, channel, len(epilogue) // 2 - 1 + channel)


@inlined
def clamp(vectors: Any, limits: Any) -> Any:
    """Clamp all lanes to limits; NaN stays."""
    return simd.clamp(vectors, limits[0], limits[1])


@inlined
def clamp_number(value: Any, low: Any, high: Any) -> Any:
    """Clamp one float32 to limits; NaN stays."""
    value = low if value < low else value
    return high if value > high else value
