"""Tables that are looked up by row number."""

from __future__ import annotations

import numpy as np

from ...constants import MAX_RANK
from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, require


def _embedding_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    table = params["weight"]
    require(len(table) == 2 and min(table) > 0, f"weight must be (rows, columns), found {list(table)}")
    require(len(inputs[0]) < MAX_RANK, f"input must have at most {MAX_RANK - 1} axes, found {list(inputs[0])}")
    return *inputs[0], table[1]


def embedding(x: Array, weight: Array) -> Array:
    """For each number the row of the table; numbers are rounded down, and below or beyond the table its end counts."""
    rows = np.clip(np.nan_to_num(np.floor(x)), 0, len(weight) - 1).astype(np.int64)
    found: Array = weight[rows]
    return found


OPS = {"embedding": OpSpec(_embedding_shape, embedding, params=("weight",), minor_version=1)}
