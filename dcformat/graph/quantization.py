"""Ranges of values and grids of weights: what a graph needs to be computed with 8-bit integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError

if TYPE_CHECKING:
    from .graph import Graph, Shape

F32: TypeAlias = NDArray[np.float32]

AGAIN = "calibrate the network again: dcz calibrate MODEL.dcz IMAGES -o OUT.dcz"
"""Way out of ranges and scales that are of no use."""
LEVELS = 255
"""Greatest number of a value that is held as integers; the least is 0."""
WEIGHT_LEVELS = 127
"""Greatest magnitude of an integer weight."""
RANGE_SCALES = 2.0**-60, 2.0**60
"""Least and greatest scale of a range: the ratio of two is a normal number in float32."""
WEIGHT_SCALES = 2.0**-100, 2.0**100
"""Least and greatest scale of weights."""
QUANTIZED_OPS = ("conv2d", "conv1d", "linear")
"""Operators whose weights may have scales."""


@dataclass(frozen=True)
class Range:
    """The numbers that a value can hold: ``scale * (q - zero_point)`` for q from 0 to 255.

    Attributes
    ----------
    scale : float
        Exact in float32.
    zero_point : int
        0 to 255; the integer that stands for zero.
    """

    scale: float
    zero_point: int


@dataclass(frozen=True, eq=False)
class Quantization:
    """What a graph needs to be computed with 8-bit integers. The format page, section 8, says what is computed.

    Attributes
    ----------
    values : mapping of int to Range
        Of the graph's values that are held as integers.
    weights : mapping of str to ndarray of float32, shapes (channels,)
        Scales of weight tensors by name, one for each index on the first axis.
    corrections : mapping of int to ndarray of float32, shapes (channels,)
        Numbers that are added to the output channels of convolutions and linear layers, by the value that they make.
    """

    values: Mapping[int, Range]
    weights: Mapping[str, F32]
    corrections: Mapping[int, F32] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantization):
            return NotImplemented
        arrays = (self.weights, other.weights), (self.corrections, other.corrections)
        return self.values == other.values and all(_equal(*pair) for pair in arrays)

    __hash__ = None  # type: ignore[assignment]

    def renamed(self, names: Mapping[str, str]) -> Quantization:
        """The same, with other names for some of the tensors."""
        weights = {names.get(name, name): scales for name, scales in self.weights.items()}
        return Quantization(self.values, weights, self.corrections)


def _equal(one: Mapping[Any, F32], other: Mapping[Any, F32]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(numbers, other[key]) for key, numbers in one.items())


def check_quantization(graph: Graph, tensor_shapes: Mapping[str, Shape]) -> None:
    """Refuse ranges, scales and corrections that do not fit a legal graph.

    Raises
    ------
    FormatError
        Names the value or the tensor.
    """
    given = graph.quantization
    if given is None:
        return
    for value, found in given.values.items():
        _check_range(graph, value, found)
    used = {node.params["weight"] for node in graph.nodes if node.op in QUANTIZED_OPS}
    for name, scales in given.weights.items():
        if name not in used:
            raise FormatError(f"quantization: {name!r} is no weight of a convolution or a linear layer")
        _check_numbers(scales, tensor_shapes[name][0], f"scales of {name!r}")
        least, most = WEIGHT_SCALES
        if (bad := scales[~((scales >= least) & (scales <= most))]).size:
            raise FormatError(
                f"quantization: bad scale of {name!r}", expected="2^-100 to 2^100", found=bad[0], hint=AGAIN
            )
    for value, numbers in given.corrections.items():
        node = graph.maker(value) if 0 <= value < graph.value_of(len(graph.nodes)) else None
        if node is None or node.op not in QUANTIZED_OPS or node.params["weight"] not in given.weights:
            raise FormatError(f"quantization: corrections of value {value}, which no weight with scales makes")
        _check_numbers(numbers, tensor_shapes[node.params["weight"]][0], f"corrections of value {value}")


def _check_range(graph: Graph, value: int, found: Range) -> None:
    where = f"range of value {value}"
    if not 0 <= value < graph.value_of(len(graph.nodes)):
        raise FormatError("quantization: range of a value that the graph does not have", found=value)
    if value < len(graph.inputs) and graph.inputs[value].dtype != "F32":
        raise FormatError("quantization: an input of integers has a range", where=where)
    if not RANGE_SCALES[0] <= found.scale <= RANGE_SCALES[1]:
        raise FormatError(
            "quantization: bad scale", where=where, expected="2^-60 to 2^60", found=found.scale, hint=AGAIN
        )
    if not 0 <= found.zero_point <= LEVELS:
        raise FormatError("quantization: bad zero point", where=where, expected="0 to 255", found=found.zero_point)


def _check_numbers(numbers: F32, channels: int, what: str) -> None:
    if numbers.shape != (channels,):
        raise FormatError(f"quantization: wrong number of {what}", expected=channels, found=numbers.size)
    if (bad := numbers[~np.isfinite(numbers)]).size:
        raise FormatError(f"quantization: {what} must be finite", found=bad[0])
