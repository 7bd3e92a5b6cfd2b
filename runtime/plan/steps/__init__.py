"""Steps by family of operators: each builder turns a layer into a `Step`.

To add an operator, write a builder in the file of its family, and its row in `STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..fuse import Layer
from ..step import Context, Step
from . import elementwise, movement, pool, weighted

STEPS: Mapping[str, Callable[[Layer, Context], Step]] = {
    "conv2d": weighted.conv2d,
    "linear": weighted.linear,
    "batch_norm": elementwise.batch_norm,
    "relu": elementwise.clamp,
    "relu6": elementwise.clamp,
    "add": elementwise.add,
    "softmax": elementwise.softmax,
    "max_pool2d": pool.pool2d,
    "avg_pool2d": pool.pool2d,
    "adaptive_avg_pool2d": pool.pool2d,
    "adaptive_max_pool2d": pool.pool2d,
    "concat": movement.concat,
    "flatten": movement.flatten,
    "slice": movement.slice_pad,
    "pad": movement.slice_pad,
}
"""A builder for each operator."""
