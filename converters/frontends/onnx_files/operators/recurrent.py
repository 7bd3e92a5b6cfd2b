"""Recurrent layers. ONNX has time first; torch is asked with the batch first, which our axes have too."""

from __future__ import annotations

import torch
from torch import Tensor

from ..step import OnnxNode
from .table import translates

ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where torch's gates stand among ONNX's: i, f, g, o of i, o, f, c; and r, z, n of z, r, h."""
DEFAULTS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}
"""Activations that torch has too."""


@translates("LSTM", "GRU", "RNN")
def _recurrent(n: OnnxNode) -> tuple[Tensor, ...]:
    _check(n)
    x = n.tensor(0) if n.attribute("layout", 0) else n.tensor(0).transpose(0, 1)
    direction, size = n.attribute("direction", "forward"), n.attribute("hidden_size")
    directions = n.tensor(1).shape[0]
    states = [_state(n, index, x, directions, size) for index in ((5, 6) if n.op == "LSTM" else (5,))]
    x = x.flip(1) if direction == "reverse" else x
    weights = [tensor for i in range(directions) for tensor in _weights(n, i, size)]
    form = (weights, True, 1, 0.0, False, direction == "bidirectional", True)
    if n.op == "LSTM":
        y, *last = torch.lstm(x, states, *form)
    else:
        y, *last = (torch.gru if n.op == "GRU" else torch.rnn_tanh)(x, states[0], *form)
    y = y.flip(1) if direction == "reverse" else y
    y = y.reshape(*y.shape[:2], directions, size)
    if n.attribute("layout", 0):
        return (y, *(state.transpose(0, 1) for state in last))
    return (y.permute(1, 2, 0, 3), *last)


def _check(n: OnnxNode) -> None:
    """Refuse forms that torch does not have."""
    activations = [name.decode().lower() for name in n.attribute("activations", [])]
    directions = 2 if n.attribute("direction", "forward") == "bidirectional" else 1
    usual = DEFAULTS[n.op] * directions
    n.require(activations in ([], usual), f"activations must be {', '.join(usual)}, found {', '.join(activations)}")
    n.require(n.attribute("clip") is None, "clip is not supported")
    n.require(not n.attribute("input_forget", 0), "input_forget is not supported")
    n.require(n.op != "GRU" or bool(n.attribute("linear_before_reset", 0)), "linear_before_reset must be 1")
    n.require(not n.has(4), "sequences of several lengths (sequence_lens) are not supported")
    n.require(n.op != "LSTM" or not n.has(7) or not n.numbers(7).any(), "peepholes are not supported")


def _state(n: OnnxNode, index: int, x: Tensor, directions: int, size: int) -> Tensor:
    if not n.has(index):
        return torch.zeros(directions, x.shape[0], size, dtype=x.dtype)
    return n.tensor(index).transpose(0, 1) if n.attribute("layout", 0) else n.tensor(index)


def _weights(n: OnnxNode, direction: int, size: int) -> list[Tensor]:
    """Weights and biases of one direction, as torch has them: of the input, of the state."""
    order = ORDER[n.op]
    matrices = [_reordered(n.tensor(i)[direction], order, size) for i in (1, 2)]
    biases = n.tensor(3)[direction] if n.has(3) else torch.zeros(2 * len(order) * size, dtype=matrices[0].dtype)
    return [*matrices, *(_reordered(half, order, size) for half in biases.chunk(2))]


def _reordered(gates: Tensor, order: tuple[int, ...], size: int) -> Tensor:
    parts = torch.split(gates, size)
    return torch.cat([parts[i] for i in order]) if len(order) > 1 else gates
