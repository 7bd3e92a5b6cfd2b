"""Recurrent layers: our operators as ONNX's, which have steps before the batch and gates in another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dcformat.graph.ops.recurrent import BIASES, PARAMS
from .builder import OnnxBuilder
from .use import Use, Writer

LSTM_GATES = (0, 3, 1, 2)
"""ONNX's input, output, forget and cell gate among our input, forget, cell and output gate."""
GRU_GATES = (1, 0, 2)
"""ONNX's update, reset and new gate among our reset, update and new gate."""
OPEN = 100.0
"""Its sigmoid is 1 in fp32: a gate that lets everything through."""


def _gru(b: OnnxBuilder, u: Use) -> str:
    inputs = [_steps_first(b, u), *_tensors(b, u, GRU_GATES), *_states(b, u)]
    return _batch_first(b, _layer(b, u, "GRU", inputs, linear_before_reset=1))


def _lstm(b: OnnxBuilder, u: Use) -> str:
    x, tensors, states = _steps_first(b, u), _tensors(b, u, LSTM_GATES), _states(b, u)
    made = _layer(b, u, "LSTM", [x, *tensors, *states])
    return _batch_first(b, made if u.attrs["output"] == "hidden" else _cells(b, u, x, made, tensors, states))


def _cells(b: OnnxBuilder, u: Use, x: str, hidden: str, tensors: list[str], states: list[str]) -> str:
    """The cell state of each step; ONNX's operator gives that of the last alone.

    A second layer reads each step beside the hidden state before it, with the weights of both, and not its own state.
    Its output gate is open, and its last activation the identity: its hidden states are the cell states.
    """
    size, (w_ih, w_hh, bias) = u.shape[1], tensors
    gate = np.repeat([False, True, False, False], size)
    is_output = b.constant("is_output", gate[None, :, None])
    weights = b.add("Where", [is_output, b.number(0), b.add("Concat", [w_ih, w_hh], axis=2)])
    opened = b.constant("opened", np.append(gate * np.float32(OPEN), np.zeros(4 * size, np.float32))[None])
    if bias:
        opened = b.add("Where", [b.constant("opens", np.tile(gate, 2)[None]), opened, bias])
    steps = b.add("Concat", [x, _before(b, u, hidden, states)], axis=2)
    inputs = [steps, weights, b.zeros((1, 4 * size, size)), opened, "", "", *states[2:]]
    identity = {"activations": ["Sigmoid", "Tanh", "Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]}
    return _layer(b, u, "LSTM", inputs, **identity)


def _before(b: OnnxBuilder, u: Use, hidden: str, states: list[str]) -> str:
    """The hidden state that each step begins with."""
    length, size = u.shape
    if states:
        first = states[1]
    else:
        sizes = b.add("Concat", [b.ints(1), b.batch(), b.ints(size)], axis=0)
        first = b.add("Expand", [b.number(0), sizes])
    if u.attrs["reverse"]:
        every, start = b.add("Concat", [hidden, first], axis=0), 1
    else:
        every, start = b.add("Concat", [first, hidden], axis=0), 0
    return b.add("Slice", [every, b.ints(start), b.ints(start + length), b.ints(0)])


def _layer(b: OnnxBuilder, u: Use, op: str, inputs: list[str], **attributes: Any) -> str:
    """What a layer makes, of shape ``(T, N, H)``."""
    direction = "reverse" if u.attrs["reverse"] else "forward"
    made = b.add(op, inputs, hidden_size=u.shape[1], direction=direction, **attributes)
    return b.add("Squeeze", [made, b.ints(1)])


def _tensors(b: OnnxBuilder, u: Use, gates: tuple[int, ...]) -> list[str]:
    """Both weights, and both biases as one tensor; "" without biases."""
    rows = len(gates) * u.shape[1]
    weights = [_reordered(b, u.params[role], gates, (rows, -1)) for role in PARAMS]
    if not any(role in u.params for role in BIASES):
        return [*weights, ""]
    biases = [_reordered(b, u.params.get(role) or b.zeros((rows,)), gates, (-1,)) for role in BIASES]
    return [*weights, b.add("Concat", biases, axis=1)]


def _reordered(b: OnnxBuilder, tensor: str, gates: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """A tensor with its gates in ONNX's order, and an axis of one direction before them."""
    parts = b.add("Reshape", [tensor, b.ints(len(gates), -1)])
    return b.add("Reshape", [b.add("Gather", [parts, b.ints(*gates)], axis=0), b.ints(1, *shape)])


def _states(b: OnnxBuilder, u: Use) -> list[str]:
    """What follows the tensors: no lengths, and each first state with an axis of one direction."""
    states = [b.add("Unsqueeze", [state, b.ints(0)]) for state in u.inputs[1:]]
    return ["", *states] if states else []


def _steps_first(b: OnnxBuilder, u: Use) -> str:
    return b.add("Transpose", u.inputs[:1], perm=[1, 0, 2])


def _batch_first(b: OnnxBuilder, x: str) -> str:
    return b.add("Transpose", [x], perm=[1, 0, 2])


WRITERS: dict[str, Writer] = {"lstm": _lstm, "gru": _gru}
