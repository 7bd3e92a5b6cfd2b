"""Normalisation of groups of channels by their own mean and variance: layer, group and RMS normalisation.

A value is groups of `channels` channels of `inner` elements, C-contiguous float32, maybe with 16 samples interleaved.
The sums of squares are of differences from the mean, in a second pass, so that a mean far from zero costs no digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32

ONE = (0,)
BLOCK = 128
"""Vectors that are summed before their sum is added to others: a longer chain rounds more."""
_1, _0 = np.float32(1), np.float32(0)


@inlined
def _add(total: Any, value: Any, mean: Any) -> Any:
    return simd.add(total, value)


@inlined
def _add_square(total: Any, value: Any, mean: Any) -> Any:
    difference = simd.subtract(value, mean)
    return simd.fma_vectors(difference, difference, total)


@inlined
def _sum(take: Any, first: Any, x: F32, start: int, end: int, mean: Any) -> Any:
    """`first` with the vectors of ``x[start:end]`` taken in, in blocks."""
    total, part = simd.zeros(ONE), first
    for block in range(start, end, BLOCK * LANES):
        for i in range(block, min(block + BLOCK * LANES, end), LANES):
            part = take(part, simd.load(ONE, x, i), mean)
        total, part = simd.add(total, part), simd.zeros(ONE)
    return simd.add(total, part)


@inlined
def _statistics(x: F32, start: int, size: int, centred: bool) -> Any:
    """Mean, or zero, and mean square of the differences from it."""
    tail, end = size % LANES, start + size - size % LANES
    none = simd.zeros(ONE)
    mean = _0
    if centred:
        mean = simd.reduce_sum(_sum(_add, simd.load_masked(x, end, 0, tail), x, start, end, none)) / np.float32(size)
    total = simd.reduce_sum(_sum(_add_square, none, x, start, end, simd.splat(ONE, mean)))
    for i in range(end, start + size):
        total += (simd.get(x, i) - mean) * (simd.get(x, i) - mean)
    return mean, total / np.float32(size)


@kernel
def normalise(
    x: F32,
    out: F32,
    weight: F32,
    bias: F32,
    channels: int,
    inner: int,
    eps: float,
    centred: bool,
    first: int,
    last: int,
) -> None:
    """``weight * (x - mean) / sqrt(mean((x - mean)^2) + eps) + bias`` of some of the groups.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        Groups of ``channels * inner`` elements. The output may be the input.
    weight, bias : ndarray of float32, flat
        By channel, for as many groups as follow each other with others.
    channels, inner : int
    eps : float
    centred : bool
        Whether the mean is taken off; it counts as zero otherwise.
    first, last : int
        The first group, and the one behind the last.
    """
    size, periods = channels * inner, len(weight) // channels
    for group in range(first, last):
        start, own = group * size, group % periods * channels
        mean, square = _statistics(x, start, size, centred)
        inverse = np.float32(1 / math.sqrt(square + np.float32(eps)))
        if inner == 1:
            for c in range(0, channels, LANES):
                some = channels - c
                factor = simd.scale_shift(simd.load_masked(weight, own + c, 0, some), inverse, _0)
                value = simd.scale_shift(simd.load_masked(x, start + c, 0, some), _1, -mean)
                value = simd.fma_vectors(value, factor, simd.load_masked(bias, own + c, 0, some))
                simd.store_masked(out, start + c, 0, some, value)
        else:
            for c in range(channels):
                factor, shift, plane = inverse * weight[own + c], bias[own + c], start + c * inner
                for i in range(0, inner, LANES):
                    some = inner - i
                    value = simd.scale_shift(simd.load_masked(x, plane + i, 0, some), _1, -mean)
                    simd.store_masked(out, plane + i, 0, some, simd.scale_shift(value, factor, shift))


@kernel
def normalise_lanes(
    x: F32,
    out: F32,
    weight: F32,
    bias: F32,
    channels: int,
    inner: int,
    eps: float,
    centred: bool,
    first: int,
    last: int,
) -> None:
    """As `normalise`, of 16 samples side by side."""
    size, periods = channels * inner, len(weight) // channels
    share = _1 / np.float32(size)
    for group in range(first, last):
        start, own = group * size, group % periods * channels
        mean, begin, end = simd.zeros(ONE), start * LANES, (start + size) * LANES
        if centred:
            mean = simd.scale_shift(_sum(_add, simd.zeros(ONE), x, begin, end, mean), share, _0)
        squares = _sum(_add_square, simd.zeros(ONE), x, begin, end, mean)
        root = simd.square_root(simd.scale_shift(squares, share, np.float32(eps)))
        inverse = simd.divide(simd.splat(ONE, _1), root)
        for c in range(channels):
            factor, shift = weight[own + c], bias[own + c]
            for i in range(start + c * inner, start + (c + 1) * inner):
                value = simd.multiply(simd.subtract(simd.load(ONE, x, i * LANES), mean), inverse)
                simd.store(out, i * LANES, simd.scale_shift(value, factor, shift))
