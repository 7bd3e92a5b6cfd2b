"""Activations that a graph spells out: a function of x times x, times a number.

``x * sigmoid(x)`` is SiLU, ``x * (1 + erf(x / sqrt(2))) / 2`` is GELU, ``x * clamp(x + 3, 0, 6) / 6`` is hard-swish.
Files of older exporters have them so, with the factors in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isclose, pi, sqrt
from typing import Any

import torch
from torch import fx

from .clamps import limits
from .table import bind

aten = torch.ops.aten

PRECISION = 1e-5
"""Relative error of the numbers in a graph: some exporters write 0.1666667."""


@dataclass(frozen=True)
class Gate:
    """A spelled-out activation.

    Attributes
    ----------
    inner : callable
        Gives x of a node that is the function of x; None if it is another.
    factor : float
        The number that is a factor too.
    target : operator of torch
        The activation.
    arguments : mapping of str to object
        Its arguments beside x.
    """

    inner: Callable[[fx.Node], fx.Node | None]
    factor: float
    target: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)


def join_gates(graph: fx.Graph) -> None:
    """Replace spelled-out activations in place by the operators for them."""
    for node in list(graph.nodes):
        for gate in GATES:
            x = gate.inner(node)
            last = _product(node, x, gate.factor) if x is not None else None
            if last is None:
                continue
            last.target, last.args, last.kwargs = gate.target, (x,), dict(gate.arguments)
            break
    graph.eliminate_dead_code()


def _product(node: fx.Node, x: fx.Node, factor: float) -> fx.Node | None:
    """The node that multiplies this one with x and the factor, in any order and in steps; None if there is none."""
    times_x, number = False, 1.0
    while not (times_x and isclose(number, factor, rel_tol=PRECISION)):
        if len(node.users) != 1:
            return None
        (user,) = node.users
        other = _other_factor(user, node)
        if other is None:
            return None
        if not isinstance(other, fx.Node):
            number *= other
        elif not times_x and (share := _multiple_of(other, x)) is not None:
            times_x, number = True, number * share
        else:
            return None
        node = user
    return node


def _other_factor(product: fx.Node, node: fx.Node) -> fx.Node | float | None:
    """What a product multiplies a node with."""
    if product.target not in (aten.mul.Tensor, aten.div.Tensor):
        return None
    a, b = product.args
    if product.target == aten.div.Tensor:
        return 1 / b if a is node and isinstance(b, int | float) and b else None
    return (b if a is node else a) if a is not b else None  # type: ignore[return-value]


def _multiple_of(node: fx.Node, x: fx.Node) -> float | None:
    """The number by which a node is x times that; None if it is none."""
    if node is x:
        return 1.0
    other = _other_factor(node, x) if x in node.all_input_nodes else None
    return other if isinstance(other, int | float) else None


def _times(node: object, factor: float) -> fx.Node | None:
    """The x of a node that is x times a number."""
    if not isinstance(node, fx.Node) or node.target not in (aten.mul.Tensor, aten.div.Tensor):
        return None
    (x,) = node.all_input_nodes[:1] if len(node.all_input_nodes) == 1 else (None,)
    found = _multiple_of(node, x) if x is not None else None
    return x if found is not None and isclose(found, factor, rel_tol=PRECISION) else None


def _plus(node: object, number: float) -> fx.Node | None:
    """The x of a node that is x plus a number."""
    if not isinstance(node, fx.Node) or node.target != aten.add.Tensor or len(node.all_input_nodes) != 1:
        return None
    found = next((arg for arg in node.args if isinstance(arg, int | float)), None)
    fits = found is not None and isclose(found, number, rel_tol=PRECISION) and bind(node)["alpha"] == 1
    return node.all_input_nodes[0] if fits else None


def _argument(node: object, target: Any) -> fx.Node | None:
    """The one input of a call of this operator."""
    if not isinstance(node, fx.Node) or node.target != target or len(node.all_input_nodes) != 1:
        return None
    return node.all_input_nodes[0]


def _one_plus_erf(node: fx.Node) -> fx.Node | None:
    return _times(_argument(_plus(node, 1), aten.erf.default), 1 / sqrt(2))


def _one_plus_tanh(node: fx.Node) -> fx.Node | None:
    """1 + tanh(sqrt(2 / pi) (x + .044715 x^3)), Hendrycks and Gimpel 2016."""
    total = _times(_argument(_plus(node, 1), aten.tanh.default), sqrt(2 / pi))
    if total is None or total.target != aten.add.Tensor or len(total.all_input_nodes) != 2:
        return None
    for x, cubic in (total.all_input_nodes, total.all_input_nodes[::-1]):
        power = _times(cubic, 0.044715)
        if power is not None and power.target == aten.pow.Tensor_Scalar and tuple(power.args) == (x, 3):
            return x
    return None


def _clamp_of_three_more(node: fx.Node) -> fx.Node | None:
    return _plus(node.all_input_nodes[0], 3) if limits(node) == (0, 6) else None


def _tanh_of_softplus(node: fx.Node) -> fx.Node | None:
    return _argument(_argument(node, aten.tanh.default), aten.softplus.default)


GATES = (
    Gate(lambda node: _argument(node, aten.sigmoid.default), 1.0, aten.silu.default),
    Gate(lambda node: _argument(node, aten.hardsigmoid.default), 1.0, aten.hardswish.default),
    Gate(_clamp_of_three_more, 1 / 6, aten.hardswish.default),
    Gate(_one_plus_erf, 0.5, aten.gelu.default),
    Gate(_one_plus_tanh, 0.5, aten.gelu.default, {"approximate": "tanh"}),
    Gate(_tanh_of_softplus, 1.0, aten.mish.default),
)
