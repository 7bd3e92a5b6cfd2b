"""Steps of recurrent layers: products with all inputs at once, then step by step those with the state, and a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...kernels.contract import F32, Call, Epilogue, LinearGeometry
from ...kernels.copy import copy, fill
from ...kernels.recurrent import cells
from ...program import Bound
from .. import select
from ..fuse import Layer
from ..memory import ALIGNMENT, Use
from ..step import Builder, Context, Step
from .rows import RowLayer


@dataclass(frozen=True)
class _Rooms:
    """Cuts an array into parts of aligned sizes."""

    sizes: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(map(_aligned, self.sizes))

    def of(self, scratch: F32) -> list[F32]:
        starts = np.cumsum([0, *map(_aligned, self.sizes)])
        return [scratch[start : start + size] for start, size in zip(starts, self.sizes, strict=False)]


def _aligned(elements: int) -> int:
    return -(-elements // ALIGNMENT) * ALIGNMENT


def recurrent(layer: Layer, context: Context) -> Step:
    """A layer of cells."""
    (steps, size), params, batch = context.shapes[layer.output], layer.node.params, context.batch
    w_ih, w_hh = (context.decode(params[role]).float32() for role in ("weight_ih", "weight_hh"))
    biases = [
        np.ascontiguousarray(context.decode(params[role]).float32().dense()) if role in params else None
        for role in ("bias_ih", "bias_hh")
    ]
    inputs = RowLayer(w_ih, Epilogue(shift=biases[0]), steps, context, parts=1)
    geometry = LinearGeometry(batch, w_hh.shape[1], w_hh.shape[0])
    states = select.linear_choices(w_hh, geometry, Epilogue(shift=biases[1]), context.target)[0].pack()
    order = range(steps)[:: -1 if layer.node.attrs["reverse"] else 1]
    is_lstm = layer.node.op == "lstm"
    gates, state = batch * w_hh.shape[0], batch * size
    rooms = _Rooms(
        (steps * gates, gates, *(state,) * (2 if is_lstm else 1), max(inputs.scratch_elements, states.scratch_elements))
    )

    def bind(values: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        given, held, hidden, *cell, room = rooms.of(scratch)
        calls = [
            *inputs.bind(values[:1], given.reshape(batch, steps, -1, 1), room),
            *_begin([hidden, *cell], values[1:]),
        ]
        step = states.bind(hidden, held, None, room)
        kernel, numbers = (
            (cells.lstm_cell, (layer.node.attrs["output"] == "cell",)) if is_lstm else (cells.gru_cell, ())
        )
        for t in order:
            calls += [*step, (kernel, (given, held, hidden, *cell, out.reshape(-1), size, t, *numbers))]
        return calls

    kernel, weight_bytes = states.kernel_name, inputs.layer.weight_bytes + states.weight_bytes
    use = Use(layer.inputs, layer.output, scratch=rooms.total)
    return Step(layer.node.op, kernel, use, bind, weight_bytes, params["weight_hh"])


def _begin(states: list[F32], given: Sequence[F32]) -> list[Call]:
    """Calls that set the state before the first step."""
    if not given:
        return [fill(state[None], 0.0) for state in states]
    return [copy(state[None, :, None], value.reshape(1, -1, 1)) for state, value in zip(states, given, strict=True)]


STEPS: Mapping[str, Builder] = {"lstm": recurrent, "gru": recurrent}
"""None of them takes interleaved samples."""
