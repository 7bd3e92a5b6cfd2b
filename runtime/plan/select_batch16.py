"""The choice of kernel and tiling for a layer of 16 samples that lie side by side: see `select`."""

from __future__ import annotations

from typing import Any

from ...dcformat.tensors import Tensor
from ..kernels.contract import ConvGeometry, Epilogue, LinearGeometry
from ..kernels.conv.batch16.sparse import ConvLanes, LaneTiling, as_convolution
from ..kernels.conv.batch16.sparse_small import ConvTaps, TapTiling
from ..kernels.conv.batch16.winograd import ConvWinogradLanes
from ..kernels.conv.winograd.tiles import WinogradTiling
from . import cost
from .problem import Choice, Problem, Row
from .select import choices_of, winograd_tilings
from .target import HOST, Target


def _tiles(problem: Problem[ConvGeometry]) -> list[tuple[int, int]]:
    """Heights and widths of a tile: of whole windows, where they are pooled."""
    tiles = () if problem.epilogue.overlap else problem.target.batch16_tiles
    return [(h, w) for h, w in tiles if not problem.epilogue.pool or h % 2 == w % 2 == 0]


def _sparse(problem: Problem[ConvGeometry]) -> list[LaneTiling]:
    target = problem.target
    few = problem.weight.density < target.batch16_thin
    block = target.batch16_thin_block if few else target.batch16_block
    return [LaneTiling(problem.geometry, tile, block, target.wide) for tile in _tiles(problem)]


def _sparse_small(problem: Problem[ConvGeometry]) -> list[TapTiling]:
    image = problem.geometry.height, problem.geometry.width
    if not TapTiling.fits(problem.geometry) or image not in _tiles(problem):
        return []
    return [TapTiling(problem.geometry, image, problem.target.batch16_image_block, problem.target.wide)]


def _winograd(problem: Problem[ConvGeometry]) -> list[WinogradTiling]:
    tilings = winograd_tilings(problem, *problem.target.batch16_winograd, 1)
    return [tiling for tiling in tilings if tiling.weight_elements <= problem.target.winograd_weights]


CONVOLUTIONS: tuple[Row[ConvGeometry, Any], ...] = (
    Row("conv_lanes", _sparse, cost.batch16_sparse, ConvLanes, lambda t: "{}x{}".format(*t.shape)),
    Row("conv_taps", _sparse_small, cost.batch16_sparse_small, ConvTaps),
    Row("conv_winograd_lanes", _winograd, cost.batch16_winograd, ConvWinogradLanes),
)


def conv_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, target: Target = HOST) -> list[Choice]:
    """Like `select.conv_choices`, for samples that lie side by side."""
    return choices_of(CONVOLUTIONS, Problem(weight, geometry, epilogue, target))


def linear_choices(weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue, target: Target = HOST) -> list[Choice]:
    """Like `select.linear_choices`, for samples that lie side by side."""
    return conv_choices(weight, as_convolution(geometry), epilogue, target)
