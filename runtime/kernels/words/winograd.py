"""Convolution by Winograd's algorithm (`conv.winograd.dense`) with products in words of 16 bits (`points`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ...simd.reference.pairs import PAIR
from ..contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ..conv.blocks import divide_work
from ..conv.winograd.dense import transform_outputs, transform_weights
from ..conv.winograd.tiles import SPACE, WinogradTiling, lay_out, own_channels, part_of, transform_inputs
from ..descriptor import Conv, Winograd
from ..epilogue import epilogue_array, limits, scale_shift
from ..weights import DenseWeights
from .points import make_points, multiply, packed_elements, round_point


@inlined
def _round_points(
    points: Any, columns: Any, places: I64, steps: int, packed: NDArray[np.int16], scratch: F32, room: Any, d: I64
) -> None:
    """Round the inputs of a block to words, point by point, and leave their steps in scratch."""
    first, at, units = d[Winograd.INPUTS], 0, len(places)
    for point in range(len(points) ** 2):
        step = round_point(columns, scratch, first, places, len(columns) * LANES, packed, at, room)
        simd.put(scratch, steps + point, step)
        first += units * len(columns) * LANES + SPACE
        at += (units + PAIR - 1) // PAIR * PAIR * len(columns) * LANES


@kernel
def conv_words_winograd(
    points: Any, edge: Any, step: Any, rest: Any, rows: Any, columns: Any, sums_tag: Any, x: F32, out: F32,
    scratch: F32, packed: NDArray[np.int16], places: I64, words: NDArray[np.int16], scales: F32, room: Any,
    epilogue: F32, steps: int, d: I64,
) -> None:  # fmt: skip
    """Convolve a batch.

    Parameters
    ----------
    points, edge, step, rest : Tag
        See `transform_inputs`.
    rows, columns, sums_tag : Tag
        As long as a run has output channels, as a block has vectors, and as the product of the two.
    x, out : ndarray of float32, flat
    scratch : ndarray of float32, flat
        A patch of the input, transformed inputs, sums, outputs of a vector of tiles, and steps.
    packed : ndarray of int16, flat
        Transformed inputs as words.
    places : ndarray of int64, shape (units,)
        Units of a group, from 0 on: see `round_point`.
    words, scales, room
        See `WordPoints`.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    steps : int
        Where steps lie in scratch.
    d : ndarray of int64
        The descriptor: `Conv` and `Winograd`.
    """
    run, size, groups, pack, units = len(rows), len(points) ** 2, d[Winograd.GROUPS], d[Winograd.PACK], len(places)
    bounds, pairs, runs = limits(epilogue), (units + PAIR - 1) // PAIR, (d[Winograd.GROUP_OUTPUTS] + run - 1) // run
    vectors = (d[Winograd.TILES] + pack - 1) // pack
    for number in range(d[Conv.SAMPLES] * (d[Conv.LAST] - d[Conv.FIRST]) * groups):
        place, group = number // groups, number % groups
        sample = place // (d[Conv.LAST] - d[Conv.FIRST])
        vector = (d[Conv.FIRST] + place % (d[Conv.LAST] - d[Conv.FIRST])) * len(columns)
        width = len(columns) if vectors - vector > 1 else 1
        begin, end = own_channels(group, d)
        if begin < end:
            # Lanes without a tile are part of the grid, so they may not hold what another block left.
            for k in range(size * d[Winograd.STRIDE]):
                simd.store(scratch, d[Winograd.PATCH] + k * LANES, simd.zeros((0,)))
            first = (sample * groups + group) * d[Winograd.GROUP_INPUTS]
            transform_inputs(points, edge, step, rest, width, x, first, vector * pack, scratch, d[Winograd.INPUTS], d)
            if width == 1:
                _round_points(points, (0,), places, steps, packed, scratch, room, d)
            else:
                _round_points(points, columns, places, steps, packed, scratch, room, d)
        for channel in range(begin, end, run):
            position = group * runs + (channel - group * d[Winograd.GROUP_OUTPUTS]) // run
            at, hop = d[Conv.SUMS], run * width * LANES + SPACE
            if width == 1:
                multiply(rows, rows, size, pairs, packed, words, scales, position, steps, at, scratch)
            else:
                multiply(sums_tag, rows, size, pairs, packed, words, scales, position, steps, at, scratch)
            for o in range(channel, min(channel + run, end)):
                row, from_ = sample * d[Conv.OUT_CHANNELS] + o, at + (o - channel) * width * LANES
                transform_outputs(
                    *(points, edge, out, row, vector * pack, from_, hop, width, scratch),
                    *(*scale_shift(epilogue, o), bounds, d),
                )


class ConvWordsWinograd:
    """A convolution packed for `conv_words_winograd`.

    Parameters
    ----------
    weight : Tensor
        Finite.
    tiling : WinogradTiling
    epilogue : Epilogue
        Without a residual.
    """

    kernel_name = "conv_words_winograd"

    def __init__(self, weight: Tensor, tiling: WinogradTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        transformed = transform_weights(DenseWeights.of(weight), tiling)
        points, units = tiling.points**2, tiling.units
        self._weights = make_points(transformed.reshape(tiling.runs, points, units, tiling.rows))
        self._epilogue = epilogue_array(epilogue, tiling.geometry.out_channels)
        places, size = tiling.places()
        self._descriptor = tiling.descriptor(epilogue, places)
        words = packed_elements(points, units, tiling.columns)
        self._places, self.scratch_elements = lay_out(floats=size, steps=-(-points // LANES) * LANES, words=words)
        self.weight_bytes = self._weights.words.nbytes + self._weights.scales.nbytes

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        tiling, stride = self.tiling, self.tiling.geometry.stride[0]
        step = tiling.edge * stride
        rest = (stride * tiling.points - 1) % step + 1
        tags = tiling.points, tiling.edge, step, rest, tiling.rows, tiling.columns, tiling.rows * tiling.columns
        blocks, channels = divide_work(tiling.geometry, tiling.vectors / tiling.columns, share, tiling.rows)
        arguments = (
            *map(tag, tags),
            *(x.reshape(-1), out.reshape(-1), scratch, scratch[self._places["words"] :].view(np.int16)),
            *(np.arange(tiling.units), *self._weights, self._epilogue, self._places["steps"]),
            part_of(self._descriptor, blocks, channels),
        )
        return [(conv_words_winograd, arguments)]
