"""Activations: one number in, one number out. NaN passes through all of them."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from .spec import OpSpec, same_shape


def relu(x: Array) -> Array:
    """The maximum of x and 0."""
    return np.where(x < 0, 0, x)


def relu6(x: Array) -> Array:
    """Between 0 and 6."""
    return np.where(x > 6, 6, relu(x))


OPS = {"relu": OpSpec(same_shape, relu), "relu6": OpSpec(same_shape, relu6)}
