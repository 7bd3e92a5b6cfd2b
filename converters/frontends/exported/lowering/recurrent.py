"""Recurrent layers: a node for each direction of each layer.

A node makes the states of all steps. The last states are slices of them; the cell states of a long short-term memory
are made by a node of their own, where something reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder
from ..place import Place
from .table import Args, Call, lowers

aten = torch.ops.aten
ROLES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
COPIES = (aten.clone.default, aten.contiguous.default, aten.detach.default)
ZEROS = (aten.zeros.default, aten.zeros_like.default, aten.new_zeros.default)


@lowers(*ZEROS, any_place=True)
def _zeros(g: FxBuilder, a: Args) -> None:
    """Zeros of the batch's size: the state that a recurrent layer begins with, and nothing else."""


@lowers(aten.lstm.input, any_place=True)
def _lstm(g: FxBuilder, a: Args) -> list[Value | None]:
    each = 4 if a["has_biases"] else 2
    directions = 2 if a["bidirectional"] else 1
    g.require(len(a["params"]) == each * a["num_layers"] * directions, "projections (proj_size) are not supported")
    hidden, cell = ([_state(g, state, i) for i in range(a["num_layers"] * directions)] for state in a["hx"])
    g.require((hidden[0] is None) == (cell[0] is None), "states must be both zeros, or neither")
    return _recurrent(g, a, "lstm", [_given(*pair) for pair in zip(hidden, cell, strict=True)])


@lowers(aten.gru.input, any_place=True)
def _gru(g: FxBuilder, a: Args) -> list[Value | None]:
    count = a["num_layers"] * (2 if a["bidirectional"] else 1)
    states = [_state(g, a["hx"], i) for i in range(count)]
    return _recurrent(g, a, "gru", [_given(state) for state in states])


def _given(*states: Value | None) -> list[Value]:
    return [state for state in states if state is not None]


def _state(g: FxBuilder, node: fx.Node, index: int) -> Value | None:
    """The state that a direction of a layer begins with; None for zeros."""
    while node.target in COPIES:
        node = node.all_input_nodes[0]
    numbers = g.numbers(node)
    if node.target in ZEROS or (numbers is not None and not numbers.any()):
        return None
    value = g.constant(node, Place(1)) if node in g.constants else g.read(node)
    return _row(g, value, index)


def _row(g: FxBuilder, value: Value, index: int) -> Value:
    attrs: dict[str, Attr] = {"axis": 0, "start": index, "stop": index + 1}
    row = value if value.shape[0] == 1 else g.append("slice", [value], attrs=attrs)
    return g.reshape(row, (value.shape[1],))


def _recurrent(g: FxBuilder, a: Args, op: str, states: Sequence[Sequence[Value]]) -> list[Value | None]:
    """All layers: the states of all steps, then the last ones, of those that something reads."""
    assert g.node is not None
    g.require(not a["train"] or not a["dropout"], "dropout is switched on; export in eval mode (model.eval())")
    place = g.place_of(a["input"])
    g.set_place(place)
    for user in g.node.users:  # by operator.getitem; last states are (layers, N, features)
        g.set_place(Place(1) if user.args[1] else place, user)
    used = {user.args[1] for user in g.node.users if user.users}
    directions, each = 2 if a["bidirectional"] else 1, 4 if a["has_biases"] else 2
    value, last = g.read(a["input"]), dict[int, list[Value]]({1: [], 2: []})
    for first in range(0, a["num_layers"] * directions, directions):
        made = []
        for number, reverse in enumerate((False, True)[:directions], first):
            names = zip(ROLES, a["params"][number * each : (number + 1) * each], strict=False)
            tensors = {role: g.param(node, role) for role, node in names}
            attrs: dict[str, Attr] = {"reverse": reverse}
            inputs, end = [value, *states[number]], 0 if reverse else value.shape[0] - 1
            made.append(g.append(op, inputs, tensors, attrs))
            if 1 in used:
                last[1].append(_row(g, made[-1], end))
            if 2 in used:
                last[2].append(_row(g, g.append(op, inputs, tensors, {**attrs, "output": "cell"}), end))
        value = made[0] if directions == 1 else g.append("concat", made, attrs={"axis": 1})
    return [value, *(_joined(g, rows) if rows else None for rows in last.values())]


def _joined(g: FxBuilder, rows: Sequence[Value]) -> Value:
    """Rows (features,) as one value (rows, features)."""
    lines = [g.reshape(row, (1, *row.shape)) for row in rows]
    return lines[0] if len(lines) == 1 else g.append("concat", lines, attrs={"axis": 0})


def _arguments(x: list[Tensor], p: Mapping[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """States and weights as torch takes them."""
    gates, size = p["weight_hh"].shape
    none = x[0].new_zeros(gates)
    weights = [p["weight_ih"], p["weight_hh"], p.get("bias_ih", none), p.get("bias_hh", none)]
    return [state[None] for state in x[1:]] or [x[0].new_zeros(1, len(x[0]), size)] * 2, weights


def _in_order(x: Tensor, a: Mapping[str, Any]) -> Tensor:
    return x.flip(1) if a["reverse"] else x


def _call_lstm(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    states, weights = _arguments(x, p)
    steps = _in_order(x[0], a)
    if a["output"] == "hidden":
        return _in_order(torch.lstm(steps, states, weights, True, 1, 0.0, False, False, True)[0], a)
    cells = []
    for t in range(steps.shape[1]):
        _, *states = torch.lstm(steps[:, t : t + 1], states, weights, True, 1, 0.0, False, False, True)
        cells.append(states[1][0])
    return _in_order(torch.stack(cells, 1), a)


def _call_gru(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    states, weights = _arguments(x, p)
    return _in_order(torch.gru(_in_order(x[0], a), states[0], weights, True, 1, 0.0, False, False, True)[0], a)


CALLS: Mapping[str, Call] = {"lstm": _call_lstm, "gru": _call_gru}
