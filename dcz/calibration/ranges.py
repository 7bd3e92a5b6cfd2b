"""Ranges of values, from what values hold for some images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dcformat import InputError, Range
from ..dcformat.graph.integer import dequantize, quantize
from ..dcformat.graph.quantization import F32, LEVELS, RANGE_SCALES

SAMPLES = 1 << 18
"""Elements of a value that are kept, drawn at random, to estimate quantiles and errors."""
SHRINKINGS = np.linspace(0.3, 1.0, 71)
"""Parts of the whole range that ``mse`` tries."""
Limits = tuple[float, float]
Rule = Callable[["Observed"], Limits]


@dataclass
class Observed:
    """What a value held: limits, and some elements.

    Attributes
    ----------
    low, high : float
    samples : ndarray of float32, shape (n,)
    """

    low: float = 0.0
    high: float = 0.0
    samples: F32 = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.samples is None:
            self.samples = np.empty(0, np.float32)

    def add(self, x: F32, rng: np.random.Generator, images: int) -> None:
        """Take in a batch of finite numbers; `images` is the number of images in all."""
        low, high = float(x.min()), float(x.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        count = min(x.size, max(1, SAMPLES * len(x) // images))
        self.samples = np.concatenate([self.samples, x.reshape(-1)[rng.integers(x.size, size=count)]])


def rule_of(name: str) -> Rule:
    """A rule by its name: ``max``, ``mse``, or ``p`` and a percentage, as ``p99.99``.

    Raises
    ------
    InputError
        The name is none of these, or the percentage does not lie in 90..100.
    """
    if name in ("max", "mse"):
        return {"max": _whole, "mse": _least_error}[name]
    found = re.fullmatch(r"p(\d+(?:\.\d+)?)", name)
    if not found or not 90 <= float(found[1]) <= 100:
        raise InputError("unknown rule for ranges", expected="max, mse, or p90 to p100 as in p99.99", found=name)
    percentage = float(found[1])
    return lambda observed: _quantiles(observed, percentage)


def range_of(observed: Iterable[Observed], rule: Rule) -> Range:
    """One range for values that share it."""
    lows, highs = zip(*map(rule, observed), strict=True)
    return make_range(min(lows), max(highs))


def make_range(low: float, high: float) -> Range:
    """The range that reaches from `low` <= 0 to `high` >= 0, with zero among its numbers."""
    scale = float(np.float32(np.clip((high - low) / LEVELS, *RANGE_SCALES)))
    return Range(scale, int(np.clip(np.rint(-low / scale), 0, LEVELS)))


def _whole(observed: Observed) -> Limits:
    return observed.low, observed.high


def _quantiles(observed: Observed, percentage: float) -> Limits:
    outside = 100 - percentage
    low, high = np.percentile(observed.samples, [outside, percentage])
    # A tail that holds no number keeps its limit, zero.
    return min(0.0, float(low)), max(0.0, float(high))


def _least_error(observed: Observed) -> Limits:
    """The part of the whole range whose numbers are nearest to the samples, by the mean of squares."""
    tried = [(part * observed.low, part * observed.high) for part in SHRINKINGS]
    return min(tried, key=lambda limits: _error(observed.samples, make_range(*limits)))


def _error(x: NDArray[np.float32], found: Range) -> float:
    return float(np.square(x - dequantize(quantize(x, found), found)).mean())
