"""Recurrent layers: one direction of one layer each, over steps along axis 0. States begin at zero, or are inputs."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, require

PARAMS, BIASES = ("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")


def _check(gates: int, inputs: list[Shape], params: Params) -> Shape:
    """The shape rule of a recurrent layer, given its number of gates."""
    (x, *states), (w_ih, w_hh) = inputs, (params[role] for role in PARAMS)
    require(len(x) == 2, f"input must be (steps, features), found {list(x)}")
    require(len(w_hh) == 2 and w_hh[0] == gates * w_hh[1], f"weight_hh must be ({gates} H, H), found {list(w_hh)}")
    size = w_hh[1]
    for role, expected in {"weight_ih": (gates * size, x[1]), **dict.fromkeys(BIASES, (gates * size,))}.items():
        fits = role not in params or params[role] == expected
        require(fits, f"{role} must have shape {list(expected)}, found {list(params.get(role, w_ih))}")
    for state in states:
        require(state == (size,), f"a state must have shape {[size]}, found {list(state)}")
    return x[0], size


def _lstm_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    require(len(inputs) != 2, "states must be two, hidden and cell, found one")
    require(attrs["output"] in ("hidden", "cell"), f"output must be hidden or cell, found {attrs['output']}")
    return _check(4, inputs, params)


def _gru_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    return _check(3, inputs, params)


def _sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-x))
    return result


def _states(x: Array, weight_hh: Array, states: tuple[Array, ...], count: int) -> list[Array]:
    return list(states) or [np.zeros((len(x), weight_hh.shape[1]))] * count


def lstm(
    x: Array,
    *states: Array,
    weight_ih: Array,
    weight_hh: Array,
    reverse: bool,
    output: str,
    bias_ih: Array | float = 0.0,
    bias_hh: Array | float = 0.0,
) -> Array:
    """Hidden or cell state of each step of a long short-term memory (Hochreiter & Schmidhuber 1997), as PyTorch's."""
    h, c = _states(x, weight_hh, states, 2)
    made = np.zeros((*x.shape[:2], weight_hh.shape[1]))
    for t in range(x.shape[1])[:: -1 if reverse else 1]:
        gates = x[:, t] @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
        i, f, g, o = np.split(gates, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        made[:, t] = h if output == "hidden" else c
    return made


def gru(
    x: Array,
    *states: Array,
    weight_ih: Array,
    weight_hh: Array,
    reverse: bool,
    bias_ih: Array | float = 0.0,
    bias_hh: Array | float = 0.0,
) -> Array:
    """State of each step of a gated recurrent unit (Cho et al. 2014), as PyTorch's: reset behind the product."""
    (h,) = _states(x, weight_hh, states, 1)
    made = np.zeros((*x.shape[:2], weight_hh.shape[1]))
    for t in range(x.shape[1])[:: -1 if reverse else 1]:
        given, held = x[:, t] @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
        (r, z, n), (held_r, held_z, held_n) = np.split(given, 3, axis=1), np.split(held, 3, axis=1)
        update = _sigmoid(z + held_z)
        h = (1 - update) * np.tanh(n + _sigmoid(r + held_r) * held_n) + update * h
        made[:, t] = h
    return made


OPS = {
    "lstm": OpSpec(
        _lstm_shape,
        lstm,
        inputs=(1, 3),
        params=PARAMS,
        optional_params=BIASES,
        attrs={"reverse": False, "output": "hidden"},
        minor_version=1,
    ),
    "gru": OpSpec(
        _gru_shape,
        gru,
        inputs=(1, 2),
        params=PARAMS,
        optional_params=BIASES,
        attrs={"reverse": False},
        minor_version=1,
    ),
}
