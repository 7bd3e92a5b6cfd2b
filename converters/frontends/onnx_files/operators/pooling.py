"""Pooling, and reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..step import OnnxNode
from .table import TRANSLATIONS, translates
from .windows import Windows

MAX_POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
"""By the number of spatial axes."""


@translates("MaxPool")
def _max_pool(n: OnnxNode) -> Tensor:
    x, kernel = n.tensor(0), n.attribute("kernel_shape")
    n.require(len(kernel) in MAX_POOLS, f"pooling over {len(kernel)} axes is not supported")
    n.require(not n.wants(1), "the indices of a maximum are not supported")
    windows, ceil_mode = Windows.of(n, kernel, x.shape[2:]), bool(n.attribute("ceil_mode", 0))
    padding = windows.before
    if not _is_plain(windows):
        windows = windows.stretched(x.shape[2:]) if ceil_mode else windows
        x, padding, ceil_mode = windows.padded(x, -np.inf), [0] * len(kernel), False
    return MAX_POOLS[len(kernel)](x, kernel, windows.strides, padding, windows.dilations, ceil_mode)


@translates("AveragePool")
def _average_pool(n: OnnxNode) -> Tensor:
    x, kernel = n.tensor(0), n.attribute("kernel_shape")
    n.require(len(kernel) in AVERAGE_POOLS, f"pooling over {len(kernel)} axes is not supported")
    windows, ceil_mode = Windows.of(n, kernel, x.shape[2:]), bool(n.attribute("ceil_mode", 0))
    n.require(set(windows.dilations) == {1}, "a mean over dilated windows is not supported")
    with_padding, pool = bool(n.attribute("count_include_pad", 0)), AVERAGE_POOLS[len(kernel)]
    if _is_plain(windows):
        return pool(x, kernel, windows.strides, windows.before, ceil_mode, with_padding)
    whole = windows.stretched(x.shape[2:]) if ceil_mode else windows
    means = pool(whole.padded(x), kernel, windows.strides)
    if with_padding and whole == windows:
        return means
    counted = torch.ones(x.shape[2:])[None, None]
    if with_padding:
        counted = windows.padded(counted, 1.0)
        whole = replace(
            whole, before=[0] * len(kernel), after=[w - a for w, a in zip(whole.after, windows.after, strict=True)]
        )
    return means / pool(whole.padded(counted), kernel, windows.strides)


def _is_plain(windows: Windows) -> bool:
    """Whether torch's own padding will do: the same at both ends, and half a window at most."""
    return windows.is_even and all(2 * b <= k for b, k in zip(windows.before, windows.kernel, strict=True))


@translates("GlobalAveragePool")
def _global_average_pool(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    return x.mean(list(range(2, x.dim())), keepdim=True)


@translates("GlobalMaxPool")
def _global_max_pool(n: OnnxNode) -> Tensor:
    x = n.tensor(0)
    return x.amax(list(range(2, x.dim())), keepdim=True)


REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep),
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keepdim=keep),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
}


def _reduce(n: OnnxNode) -> Tensor:
    x, axes = n.tensor(0), n.ints("axes", 1)
    if not axes:
        if n.attribute("noop_with_empty_axes", 0):
            return x
        axes = list(range(x.dim()))
    return REDUCTIONS[n.op](x, [axis % x.dim() for axis in axes], bool(n.attribute("keepdims", 1)))


TRANSLATIONS |= dict.fromkeys(REDUCTIONS, _reduce)
