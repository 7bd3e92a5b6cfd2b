"""A graph with ranges, computed as the format page says (section 8), in NumPy: slow, exact, on any processor.

Calibration learns by it what integers do to a network, and tests hold the runtime's integer kernels to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dcformat import OPS, Graph, Node, Quantization, Range, Shape
from ..dcformat.graph.integer import U8, IntegerLayer, dequantize, quantize, ratio, requantize, to_bytes
from ..dcformat.graph.quantization import F32
from ..runtime.plan.fold import Decode, scale_and_shift
from ..runtime.plan.fuse import Layer, fuse
from .products import integer_sums
from .windows import AVERAGES, window_sums

MOVES = (
    *("max_pool2d", "max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool1d", "concat", "flatten", "reshape"),
    *("slice", "permute", "expand", "take", "pad"),
)
"""Operators that choose elements of their inputs."""
PRODUCTS = ("conv2d", "conv1d", "linear")
"""Operators that integer layers begin with."""
Value = NDArray[Any]
"""A value of some samples: bytes where it has a range, else float32."""
Correct = Callable[[int, NDArray[np.floating]], F32 | None]
"""``correct(value, sums)``: new corrections of a convolution by its outputs before activation and residual."""


class Simulation:
    """Runs a graph with ranges.

    Parameters
    ----------
    graph : Graph
        Its `quantization` says what is computed in integers.
    shapes : sequence of tuple of int
        What `dcz.dcformat.infer_shapes` gives for it.
    decode : callable
        ``decode(name) -> Tensor``.

    Attributes
    ----------
    layers : dict of int to Layer
        The integer layers, by the value that they compute.
    """

    def __init__(self, graph: Graph, shapes: Sequence[Shape], decode: Decode) -> None:
        assert graph.quantization is not None
        self._graph, self._decode = graph, decode
        self._given: Quantization = graph.quantization
        self._corrections = dict(self._given.corrections)
        self._ranges: Mapping[int, Range] = self._given.values
        self._dense: dict[str, NDArray[Any]] = {}
        self._value_of = {id(node): graph.value_of(i) for i, node in enumerate(graph.nodes)}
        fused = fuse(graph, shapes, self._ranges)
        self._made: dict[int, IntegerLayer] = {}
        self.layers: dict[int, Layer] = {}
        for layer in fused:
            # A pool of a layer is a node of its own here: it chooses among bytes, so the order does not matter.
            layer = layer if layer.pool is None else _without_pool(layer)
            if self._is_integer(layer) and (made := self._integer_layer(layer)) is not None:
                self.layers[layer.output], self._made[layer.output] = layer, made

    def run(
        self, *inputs: NDArray[np.floating], watch: Iterable[int] = (), correct: Correct | None = None
    ) -> dict[int, F32]:
        """Compute the outputs, and the values in `watch`, as the numbers that they stand for.

        Parameters
        ----------
        *inputs : ndarray, shapes ``(N, *shape)``
        watch : iterable of int
        correct : callable, optional
            Corrections that it gives count from the layer on that they are for, and in later runs.

        Returns
        -------
        dict of int to ndarray of float32, shapes ``(N, *shape)``
        """
        wanted = {*watch, *self._graph.answers}
        values: dict[int, Value] = {i: self._held(i, x) for i, x in enumerate(inputs)}
        found = {i: self._number(i, values) for i in wanted & values.keys()}
        waiting = Counter(value for reads in self._reads.values() for value in reads)
        for value, reads in self._reads.items():
            layer = self.layers.get(value)
            if layer is not None:
                values[value] = self._integer(layer, values, correct)
            else:
                values[value] = self._other(value, values, len(inputs[0]))
            if value in wanted:
                found[value] = self._number(value, values)
            waiting.subtract(reads)
            for done in {value, *reads}:
                if waiting[done] <= 0:
                    del values[done]
        return found

    @property
    def corrections(self) -> dict[int, F32]:
        """Corrections as of now, by the value of the convolution."""
        return dict(self._corrections)

    @cached_property
    def _reads(self) -> dict[int, tuple[int, ...]]:
        """The values that are computed, in order, and what each is computed from."""
        needed, found = set(self._graph.answers), dict[int, tuple[int, ...]]()
        for i in range(len(self._graph.nodes) - 1, -1, -1):
            value = self._graph.value_of(i)
            if value in needed:
                layer = self.layers.get(value)
                residual = () if layer is None or layer.residual is None else (layer.residual,)
                found[value] = self._graph.nodes[i].inputs if layer is None else (*layer.inputs, *residual)
                needed.update(found[value])
        return dict(reversed(found.items()))

    def _is_integer(self, layer: Layer) -> bool:
        node, residual = layer.node, layer.residual
        weighed = node.op in PRODUCTS and node.params["weight"] in self._given.weights
        return weighed and layer.inputs[0] in self._ranges and (residual is None or residual in self._ranges)

    def _integer_layer(self, layer: Layer) -> IntegerLayer | None:
        name = layer.node.params["weight"]
        scales = self._given.weights[name]
        epilogue = scale_and_shift(layer.node, layer.norms, self._decode, len(scales))
        correction = self._corrections.get(self._value_of[id(layer.node)])
        ranges = self._ranges[layer.inputs[0]], self._ranges.get(layer.output)
        weight = self._decode(name).float32().dense()
        return IntegerLayer.of(weight, scales, epilogue, correction, *ranges)

    def _integer(self, layer: Layer, values: Mapping[int, Value], correct: Correct | None) -> Value:
        given, made = self._ranges[layer.inputs[0]], self._ranges.get(layer.output)
        packed, q = self._made[layer.output], values[layer.inputs[0]]
        sums = integer_sums(layer.node, q, packed.weights, given.zero_point)
        channels = (-1, *(1,) * (0 if layer.node.op == "linear" else sums.ndim - 2))
        if correct is not None:
            packed = self._corrected(layer, packed, sums, channels, correct)
        steps = (sums + packed.offset.reshape(channels)).astype(np.float32) * packed.factor.reshape(channels)
        if layer.residual is not None:
            r = self._ranges[layer.residual]
            step = np.float32(r.scale) if made is None else ratio(r, made)
            steps = steps + (values[layer.residual].astype(np.float32) - np.float32(r.zero_point)) * step
        if made is None:
            low, high = map(np.float32, layer.limits)
            limited: Value = np.fmin(np.fmax(steps, low), high)
            return limited
        least, most = quantize(np.array(layer.limits), made).tolist()
        return to_bytes(np.rint(steps) + np.float32(made.zero_point), least, most)

    def _corrected(
        self, layer: Layer, packed: IntegerLayer, sums: NDArray[np.int64], channels: tuple[int, ...], correct: Correct
    ) -> IntegerLayer:
        value, made = self._value_of[id(layer.node)], self._ranges.get(layer.output)
        step = packed.factor * np.float32(1 if made is None else made.scale)
        found = correct(value, (sums + packed.offset.reshape(channels)) * step.reshape(channels))
        if found is None:
            return packed
        before, self._corrections[value] = self._corrections.get(value), found
        new = self._integer_layer(layer)
        if new is None:
            self._corrections.pop(value) if before is None else self._corrections.update({value: before})
            return packed
        self._made[layer.output] = new
        return new

    def _other(self, value: int, values: Mapping[int, Value], samples: int) -> Value:
        node = self._graph.maker(value)
        assert node is not None
        made, ranges = self._ranges.get(value), [self._ranges.get(given) for given in node.inputs]
        if node.op in MOVES and made is not None and None not in ranges:
            moved = (requantize(values[given], self._ranges[given], made) for given in node.inputs)
            centred = (q.astype(np.float64) - made.zero_point for q in moved)
            return to_bytes(OPS[node.op].meaning(*centred, **node.attrs) + made.zero_point)
        if node.op in AVERAGES and ranges[0] is not None:
            return _average(node, values[node.inputs[0]], ranges[0], made)
        numbers = (self._number(given, values).astype(np.float64) for given in node.inputs)
        params = {role: self._tensor(name) for role, name in node.params.items()}
        out = OPS[node.op].meaning(*numbers, **params, **node.attrs).astype(np.float32)
        return self._held(value, out if node.inputs else np.repeat(out, samples, axis=0))

    def _held(self, value: int, x: NDArray[np.floating]) -> Value:
        found = self._ranges.get(value)
        return x.astype(np.float32) if found is None else quantize(x, found)

    def _number(self, value: int, values: Mapping[int, Value]) -> F32:
        found = self._ranges.get(value)
        return values[value].astype(np.float32) if found is None else dequantize(values[value], found)

    def _tensor(self, name: str) -> NDArray[np.float64]:
        if name not in self._dense:
            self._dense[name] = self._decode(name).float32().dense().astype(np.float64)
        return self._dense[name]


def _without_pool(layer: Layer) -> Layer:
    assert layer.pooled is not None
    return replace(layer, output=layer.pooled, pool=None, pooled=None)


def _average(node: Node, q: U8, given: Range, made: Range | None) -> Value:
    sums, counts = window_sums(node, q.astype(np.int64) - given.zero_point)
    if made is None:
        return sums.astype(np.float32) * (np.float64(given.scale) / counts).astype(np.float32)
    steps = sums.astype(np.float32) * (np.float64(given.scale) / (counts * np.float64(made.scale))).astype(np.float32)
    return to_bytes(np.rint(steps) + np.float32(made.zero_point))
