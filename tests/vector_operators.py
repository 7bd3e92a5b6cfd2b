"""Graphs of the test vectors that have the operators of a family each: see `make_vectors.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from vector_graphs import sparse

from dcz.dcformat import Graph, make_node
from dcz.dcformat.tensors import Array

IMAGE = (4, 3, 5)


def chain(shape: tuple[int, ...], *steps: tuple[Any, ...]) -> Graph:
    """A graph in which each step reads what the one before made: an operator, its attributes, its tensors."""
    nodes = []
    for index, (op, *rest) in enumerate(steps):
        attrs, params = (*rest, *({}, {})[len(rest) :])
        nodes.append(make_node(op, (index,), params, attrs))
    return Graph(shape, tuple(nodes), len(nodes))


def numbers(*shape: int, seed: int) -> Array:
    """A seeded dense tensor of multiples of 1/8."""
    return (np.random.default_rng(seed).integers(-16, 17, size=shape) / 8).astype(np.float32)


def activations_file() -> dict[str, Any]:
    """Activations that format 1.1 brought, with attributes other than the defaults."""
    graph = chain(
        IMAGE,
        ("clamp", {"low": -1.5, "high": 2.0}),
        ("prelu", {}, {"weight": "slope"}),
        ("sigmoid",),
        ("silu",),
        ("gelu",),
        ("gelu", {"tanh": True}),
        ("hardsigmoid", {"alpha": 0.25, "beta": 0.5}),
        ("hardswish",),
        ("tanh",),
        ("elu", {"alpha": 0.5, "scale": 2.0, "input_scale": 1.5}),
        ("softplus", {"beta": 2.0, "threshold": 10.0}),
        ("mish",),
    )
    return {"graph": graph, "tensors": {"slope": numbers(4, seed=31)}}


def arithmetic_file() -> dict[str, Any]:
    """Arithmetic of one value, of two that broadcast, and comparisons."""
    single = chain(
        IMAGE, ("affine", {"scale": -0.5, "shift": 3.0}), ("abs",), ("sqrt",), ("log",), ("exp",), ("erf",),
        ("reciprocal",), ("power", {"exponent": 2.0}),
    )  # fmt: skip
    value = make_node("constant", (), {"value": "per_channel"})
    pairs = ("sub", "mul", "div", "maximum", "minimum", "pow", "equal", "less", "mask", "add")
    first = len(single.nodes) + 1  # the constant, with which each of them is made
    nodes = [make_node(op, (i if i > first else first - 1, first)) for i, op in enumerate(pairs, first)]
    graph = Graph(IMAGE, (*single.nodes, value, *nodes), first + len(pairs))
    return {"graph": graph, "tensors": {"per_channel": numbers(4, 1, 1, seed=32)}}


def functions_file() -> dict[str, Any]:
    """The functions that format 1.2 brought."""
    steps = ("sin",), ("affine", {"scale": 9.0}), ("cos",), ("affine", {"scale": 9.0}), ("floor",)
    halves = ("affine", {"scale": 1.5}), ("round",), ("affine", {"scale": 0.25}), ("ceil",)
    return {"graph": chain(IMAGE, *steps, *halves), "tensors": {}}


def norms_file() -> dict[str, Any]:
    """Normalisations by layer and by group, and reductions over axes."""
    weights = {"weight": "weight", "bias": "bias"}
    graph = chain(
        IMAGE,
        ("layer_norm", {"trailing": 2, "eps": 1e-3}),
        ("group_norm", {"groups": 2}, weights),
        ("rms_norm", {"trailing": 1, "eps": 1e-6}, {"weight": "last"}),
        ("reduce_mean", {"axes": (2,)}),
        ("reduce_sum", {"axes": (1,)}),
        ("reduce_max", {"axes": (0, 2)}),
        ("reduce_min", {"axes": (0,)}),
        ("reduce_l2", {"axes": (1, 2)}),
    )
    tensors = {"weight": numbers(4, seed=33), "bias": numbers(4, seed=34), "last": numbers(5, seed=35)}
    return {"graph": graph, "tensors": tensors}


def products_file() -> dict[str, Any]:
    """Products of two values and attention, of one input and of rows that a sparse layer makes of it."""
    layer = {"weight": "weight"}
    nodes = (
        make_node("linear", (0,), layer),  # 1: (2, 5, 4)
        make_node("permute", (1,), None, {"axes": (0, 2, 1)}),
        make_node("matmul", (0, 2)),  # 3: (2, 5, 5)
        make_node("constant", (), {"value": "bias"}),  # 4: (5, 5)
        make_node("attention", (0, 1, 1, 4), None, {"scale": 0.5}),
        make_node("attention", (5, 0, 1), None, {"scale": 0.25, "causal": True}),
        make_node("matmul", (3, 6)),
    )
    tensors = {"weight": sparse((4, 4), 0.5, [0.5, -0.25, 1.5], 36), "bias": numbers(5, 5, seed=37)}
    return {"graph": Graph((2, 5, 4), nodes, len(nodes)), "tensors": tensors}


def recurrent_file() -> dict[str, Any]:
    """Recurrent layers in both directions, with and without biases and a first state."""
    nodes = (
        make_node("lstm", (0,), {"weight_ih": "lstm.ih", "weight_hh": "lstm.hh"}, {"reverse": True}),  # 1: (6, 2)
        make_node(
            "lstm", (0,), {"weight_ih": "lstm.ih", "weight_hh": "lstm.hh", "bias_ih": "lstm.b"}, {"output": "cell"}
        ),
        make_node("concat", (1, 2), None, {"axis": 1}),  # 3: (6, 4)
        make_node("gru", (3,), {"weight_ih": "gru.ih", "weight_hh": "gru.hh", "bias_hh": "gru.b"}),  # 4: (6, 2)
        make_node("slice", (4,), None, {"axis": 0, "start": 5, "stop": 6}),
        make_node("reshape", (5,), None, {"shape": (2,)}),
        make_node("gru", (3, 6), {"weight_ih": "gru.ih", "weight_hh": "gru.hh"}, {"reverse": True}),
    )
    tensors = {
        "lstm.ih": sparse((8, 3), 0.5, [0.5, -0.25, 1.5], 38),
        "lstm.hh": numbers(8, 2, seed=39),
        "lstm.b": numbers(8, seed=40),
        "gru.ih": sparse((6, 4), 0.5, [0.5, -0.25, 1.5], 41),
        "gru.hh": numbers(6, 2, seed=42),
        "gru.b": numbers(6, seed=43),
    }
    return {"graph": Graph((6, 3), nodes, len(nodes)), "tensors": tensors}
