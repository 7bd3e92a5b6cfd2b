"""Bytes that are moved: slices, and pads of slices, from planes to planes."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ....dcformat import Node, Shape
from ....dcformat.graph.integer import dequantize, quantize, requantize
from ...kernels.contract import F32, I64, Call
from ...kernels.integer.convert import move_rows
from ..fuse import STRIDED, Layer
from ..integers import image
from ..memory import Use
from ..step import Context, Step
from .movement import moved


class Move(NamedTuple):
    """Pixels of an output that come from pixels of an input at equal distances; elsewhere there is padding."""

    first: int
    """The first channel that has a source."""
    channels: int
    """Channels that have one."""
    source: tuple[int, int, int]
    """Channel, row and column that the first pixel comes from."""
    steps: tuple[int, int, int]
    """Distances between channels, rows and columns in the input."""


def move(layer: Layer, context: Context) -> Step | None:
    """Slices and pads of bytes; None where pixels are not at equal distances."""
    assert context.integers is not None
    ranges, shapes = context.integers.ranges, context.shapes
    source = layer.inputs[0]
    if source not in ranges or layer.output not in ranges:
        return None
    found = _move_of((*layer.moves, layer.node), shapes[source], shapes[layer.output])
    if found is None:
        return None
    given, made = (context.integers.planes(shapes[value]) for value in (source, layer.output))
    (channel, row, column), (down_c, down_y, down_x) = found.source, found.steps
    zero = ranges[layer.output].zero_point
    begin = given.start + row * given.pitch + column
    sizes = (
        *(made.channels, found.first, found.channels, made.height, made.width, made.plane, made.start, made.pitch),
        *(channel, down_c, given.plane, begin, down_y * given.pitch, down_x),
    )
    table = _table(layer, context)

    def bind(inputs: list[Any], out: Any, scratch: F32) -> list[Call]:
        return [
            (
                move_rows,
                (
                    inputs[0][sample * given.size : (sample + 1) * given.size],
                    out[sample * made.size : (sample + 1) * made.size],
                    *(table, zero, np.array(sizes, np.int64)),
                ),
            )
            for sample in range(context.batch)
        ]

    return Step(layer.node.op, "move_bytes", Use(layer.inputs, layer.output), bind)


def _table(layer: Layer, context: Context) -> NDArray[np.uint8]:
    """What becomes of each byte; empty where all stay as they are."""
    assert context.integers is not None
    ranges, origins = context.integers.ranges, context.integers.origins
    given, made, all_bytes = ranges[layer.inputs[0]], ranges[layer.output], np.arange(256, dtype=np.uint8)
    if all(origins[id(node)] in ranges for node in layer.moves):
        table = requantize(all_bytes, given, made)
    else:
        table = quantize(dequantize(all_bytes, given), made)
    return table[:0] if np.array_equal(table, all_bytes) else table


def _move_of(nodes: tuple[Node, ...], given: Shape, made: Shape) -> Move | None:
    """Find where each pixel comes from, and whether those are equal distances apart."""
    numbers: NDArray[Any] = np.arange(prod(given)).reshape(1, *given, 1)
    last = nodes[-1]
    numbers = moved(numbers, nodes if last.op in STRIDED else nodes[:-1])[0, ..., 0]
    if last.op == "pad":
        attrs = cast(dict[str, tuple[int, ...]], last.attrs)
        numbers = np.pad(numbers, list(zip(attrs["before"], attrs["after"], strict=True)), constant_values=-1)
    elif last.op not in STRIDED:
        return None
    numbers = numbers.reshape(image(made))
    channels = np.flatnonzero((numbers >= 0).any(axis=(1, 2)))
    if not len(channels):
        return None
    places = np.stack(np.unravel_index(numbers[channels[0] : channels[-1] + 1].clip(0), image(given)))
    steps = [_step(places, axis) for axis in range(3)]
    found = Move(int(channels[0]), len(channels), _triple(places[:, 0, 0, 0]), _triple(np.array(steps)))
    return found if np.array_equal(_numbers(found, given, made), numbers) else None


def _step(places: I64, axis: int) -> int:
    """How far apart neighbours along an axis are, along the same axis of the input."""
    line = np.moveaxis(places[axis], axis, 0)[:2, ...].reshape(min(2, places.shape[axis + 1]), -1)[:, 0]
    return int(line[-1] - line[0])


def _triple(numbers: NDArray[Any]) -> tuple[int, int, int]:
    first, second, third = (int(number) for number in numbers)
    return first, second, third


def _numbers(move: Move, given: Shape, made: Shape) -> NDArray[Any]:
    """Number of the input's pixel for each of the output's; -1 for padding."""
    _, height, width = image(made)
    lengths = move.channels, height, width
    places = [first + step * np.arange(n) for first, step, n in zip(move.source, move.steps, lengths, strict=True)]
    inside = all(place[0] >= 0 and place[-1] < size for place, size in zip(places, image(given), strict=True))
    numbers = np.full(image(made), -1)
    if inside:
        rows = numbers[move.first : move.first + move.channels]
        rows[...] = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), image(given))
    return numbers
