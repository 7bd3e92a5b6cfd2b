"""The choice of kernel and tiling for a layer of 16 samples that lie side by side: see `select`."""

from __future__ import annotations

from functools import partial

from ...dcformat.tensors import Tensor
from ..kernels.contract import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from ..kernels.conv.batch16.sparse import ConvLanes, LaneTiling, as_convolution
from ..kernels.conv.batch16.sparse_small import TAPS, ConvTaps, TapTiling
from ..kernels.conv.batch16.winograd import ConvWinogradLanes
from ..kernels.conv.winograd.tiles import WinogradTiling
from ..kernels.weights import DenseWeights, SparseWeights
from ..processor import WIDE
from .select import WINOGRAD, WINOGRAD_WEIGHTS, Choice, by_cost

SHAPES = ((1, 1), (2, 2), (4, 4), (2, 7), (1, 13)) if WIDE else ((1, 1), (2, 2), (1, 6))
"""Height and width of a tile of pixels."""
BUDGET, THIN_BUDGET, TAPS_BUDGET = 448, 640, 1024
"""Vectors of a block: 28 KiB of the L1 cache; a little more than it holds where weights are few, as short blocks cost
more than some slow loads do; 64 KiB where a tap has a loop of its own."""
THIN = 0.2
"""Density below which weights are few."""
WINOGRAD_TILE = (8, 2) if WIDE else (4, 1)
"""Output channels and tiles whose sums Winograd's algorithm holds in registers."""

# Cycles, where a vector multiply-add takes one: of a weight beside its multiply-adds, of a vector of sums for each
# segment, of a segment, of packing a vector; of the loop of a tap.
WEIGHT, SUMS, SEGMENT, PACK, TAP = 1.7, 2.5, 12.0, 5.0, 14.0
# Of a tile in Winograd's algorithm, for each point: of an input channel, of an output channel in the transform and in
# the sums.
TILE_IN, TILE_OUT, POINT = 7.0, 4.4, 2.0


def conv_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> list[Choice]:
    """Like `conv_choices`, for samples that lie side by side."""
    shapes = [(h, w) for h, w in SHAPES if not epilogue.pool or h % 2 == w % 2 == 0]  # whole windows
    budget, choices = THIN_BUDGET if weight.density < THIN else BUDGET, []
    for shape in shapes:
        tiling = LaneTiling(geometry, shape, budget)
        pack = partial(_conv_lanes, weight, tiling, epilogue)
        choices.append(Choice(lanes_cycles(tiling, weight.nnz), "conv_lanes", "{}x{}".format(*shape), pack))
    if TapTiling.fits(geometry) and (geometry.height, geometry.width) in shapes:
        taps = TapTiling(geometry, (geometry.height, geometry.width), TAPS_BUDGET)
        pack = partial(_conv_taps, weight, taps, epilogue)
        choices.append(Choice(taps_cycles(taps, weight.nnz), "conv_taps", "", pack))
    return by_cost(choices + _winograd_choices(weight, geometry, epilogue))


def linear_choices(weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> list[Choice]:
    """Like `linear_choices`, for samples that lie side by side."""
    return conv_choices(weight, as_convolution(geometry), epilogue)


def _conv_lanes(weight: Tensor, tiling: LaneTiling, epilogue: Epilogue) -> PackedLayer:
    return ConvLanes(SparseWeights.of(weight), tiling, epilogue)


def lanes_cycles(tiling: LaneTiling, nnz: int) -> float:
    """Estimated cycles of a sparse convolution over tiles."""
    g, pixels = tiling.geometry, tiling.shape[0] * tiling.shape[1]
    weights, sums = nnz * (pixels + WEIGHT), tiling.segments * (pixels * SUMS + SEGMENT)
    packed = g.in_channels * len(tiling.phases[1]) * tiling.unit_vectors
    return tiling.tiles * (weights + sums + packed * PACK)


def _conv_taps(weight: Tensor, tiling: TapTiling, epilogue: Epilogue) -> PackedLayer:
    return ConvTaps(SparseWeights.of(weight), tiling, epilogue)


def taps_cycles(tiling: TapTiling, nnz: int) -> float:
    """Estimated cycles of a sparse convolution of images that fit a tile."""
    return nnz * (tiling.products + WEIGHT) + tiling.segments * (tiling.unit_vectors * SUMS + TAPS * TAP)


def _winograd_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> list[Choice]:
    """Winograd's algorithm, where there is a way."""
    if not WINOGRAD or not WinogradTiling.fits(geometry):
        return []
    tiling = WinogradTiling(geometry, *WINOGRAD_TILE, 1)
    if tiling.weight_elements > WINOGRAD_WEIGHTS or (epilogue.pool and tiling.edge % 2):
        return []
    pack = partial(_conv_winograd, weight, tiling, epilogue)
    return [Choice(winograd_cycles(tiling), "conv_winograd_lanes", "", pack)]


def _conv_winograd(weight: Tensor, tiling: WinogradTiling, epilogue: Epilogue) -> PackedLayer:
    return ConvWinogradLanes(DenseWeights.of(weight), tiling, epilogue)


def winograd_cycles(tiling: WinogradTiling) -> float:
    """Estimated cycles of a convolution by Winograd's algorithm."""
    g = tiling.geometry
    inputs, outputs = g.groups * tiling.units * TILE_IN, g.out_channels * (TILE_OUT + POINT)
    return tiling.points**2 * tiling.tiles * (inputs + outputs + tiling.runs * tiling.run * tiling.units)
