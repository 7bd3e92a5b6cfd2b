"""Steps of tables that are looked up by row number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...kernels.contract import F32, Call
from ...kernels.gather import gather_rows
from ..fuse import Layer
from ..memory import Use
from ..step import Builder, Context, Step


def embedding(layer: Layer, context: Context) -> Step:
    """The rows of a table, which is decoded once."""
    name = layer.node.params["weight"]
    table = np.ascontiguousarray(context.decode(name).float32().dense())

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x = inputs[0].reshape(context.samples, -1, context.lanes)
        return [(gather_rows, (x, table, out.reshape(*x.shape[:2], table.shape[1], context.lanes)))]

    return Step("embedding", "gather_rows", Use(layer.inputs, layer.output), bind, table.nbytes, name)


STEPS: Mapping[str, Builder] = {"embedding": embedding}
