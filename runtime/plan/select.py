"""The choice of kernel and tiling for a layer, by an estimate of its cycles (`cost`).

`CONVOLUTIONS` and `LINEARS` have a row for each kernel. To add a kernel, add its row, and its estimate to `cost`.
``python -m benchmarks.kernels --candidates`` times what was chosen beside what was not.

No choice depends on the batch, so a batch that is split gives the same bits. (`select_batch16` is for samples that lie
side by side.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ...dcformat.tensors import Dense, Shared, SparseShared, Tensor
from .. import settings
from ..kernels.contract import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from ..kernels.conv import as_linear
from ..kernels.conv.depthwise import ConvDepthwise, WindowTiling
from ..kernels.conv.depthwise_pairs import ConvDepthwisePairs, PairTiling
from ..kernels.conv.depthwise_taps import ConvDepthwiseTaps, PlaneTiling
from ..kernels.conv.direct.dense import ConvDense, DenseTiling
from ..kernels.conv.direct.dense_channels import ChannelTiling, ConvChannels
from ..kernels.conv.direct.sparse import ConvSparse
from ..kernels.conv.direct.sparse_shift import ConvSliding, ShiftTiling
from ..kernels.conv.direct.tile import Tiling, is_pointwise
from ..kernels.conv.winograd.dense import ConvWinograd
from ..kernels.conv.winograd.sparse import ConvWinogradSparse
from ..kernels.conv.winograd.tiles import WinogradTiling
from ..kernels.linear import permute16, permute32
from ..kernels.linear.csr import LinearSparse
from ..kernels.linear.dense import LinearDense
from ..kernels.linear.slices import MOST_FEATURES
from ..kernels.weights import SparseWeights, is_finite
from ..kernels.words.dense import ConvWordsDense, DenseWordTiling
from ..kernels.words.sparse import ConvWordsSparse
from ..kernels.words.strips import ConvWordsStrips, StripTiling
from ..kernels.words.winograd import ConvWordsWinograd
from ..simd import LANES
from ..simd import winograd_points as winograd
from . import cost
from .problem import Choice, Geometry, Problem, Row
from .target import HOST, Target

UNROLLED_PIXELS = 4
"""Most output pixels of a convolution that is tried as a fully connected layer."""
WORD_KERNELS = ("conv_words_sparse", "conv_words_dense", "conv_words_winograd", "conv_words_strips")
"""Kernels that are chosen only where a target allows words of 16 bits."""
EACH_RUN = 0.5
"""What a weight of a run takes beside its products with a vector of pixels each: their loads."""
MOST_UNITS = 160
"""Most units whose products are summed at a point in words of 16 bits: the more there are, the coarser are grids."""
FINALISTS = 3
"""Tilings of a kernel that are worth a trial."""


def _spans(g: ConvGeometry, lanes: int = LANES) -> list[tuple[int, int]]:
    """Worthwhile (span, bands): even cuts of a row, and as many bands as fill the lanes."""
    if is_pointwise(g):
        return [(lanes, 1)]
    least = -(-g.out_width // lanes)
    cuts = {-(-g.out_width // n) for n in range(least, min(g.out_width, 4 * least) + 1)}
    return sorted({(span, lanes // span) for span in cuts})


def _block(problem: Problem[ConvGeometry]) -> int:
    target = problem.target
    return target.thin_block if problem.weight.density < target.thin else target.block


def _sparse(problem: Problem[ConvGeometry]) -> list[Tiling]:
    if problem.epilogue.pool:
        return []
    g, block, spans = problem.geometry, _block(problem), _spans(problem.geometry)
    return [
        Tiling(g, rows, *span, block, wide=problem.target.wide) for rows in problem.target.sparse_rows for span in spans
    ]


def _allows_words(problem: Problem[ConvGeometry]) -> bool:
    """Whether the kernels on words that do not pool may be chosen, and take the layer."""
    return problem.target.words and not problem.epilogue.pool and is_finite(problem.weight)


def _words(problem: Problem[ConvGeometry]) -> list[Tiling]:
    if not _allows_words(problem):
        return []
    g, target, spans = problem.geometry, problem.target, _spans(problem.geometry)
    return [Tiling(g, rows, *span, target.word_block, wide=target.wide) for rows in target.word_rows for span in spans]


def _dense(problem: Problem[ConvGeometry]) -> list[DenseTiling]:
    if problem.epilogue.pool:
        return []
    g, target, spans = problem.geometry, problem.target, _spans(problem.geometry)
    runs = {rows: _fullest(runs, g.out_channels // g.groups) for rows, runs in target.dense_runs.items()}
    return [DenseTiling(g, rows, *span, target.dense_block, run=run) for rows, run in runs.items() for span in spans]


def _fullest(runs: Sequence[int], outputs: int) -> int:
    """The run of which the outputs of a group take the least work: missing outputs of the last one are computed too."""
    return min(runs, key=lambda run: -(-outputs // run) * (run + EACH_RUN))


def _words_dense(problem: Problem[ConvGeometry]) -> list[DenseWordTiling]:
    if not _allows_words(problem):
        return []
    g, target, spans = problem.geometry, problem.target, _spans(problem.geometry)
    runs = {rows: _run(rows, target.word_registers) for rows in target.word_dense_rows}
    return [
        DenseWordTiling(g, rows, *span, target.word_dense_block, run=run)
        for rows, run in runs.items()
        for span in spans
    ]


def _run(rows: int, registers: int) -> int:
    """Output channels whose sums, and a weight for them, fit registers."""
    return max(1, min(12, registers // (rows + 1)))


def _channels(problem: Problem[ConvGeometry]) -> list[ChannelTiling]:
    g, target = problem.geometry, problem.target
    single = g.out_height * g.out_width == 1  # each weight serves one pixel: a fully connected layer
    if problem.epilogue.pool or single or not _few_weights(problem):
        return []
    return [
        ChannelTiling(g, rows, *span, target.dense_block, run=vectors * LANES, pixels=pixels)
        for pixels, vectors in target.channel_tiles
        for span in _spans(g, pixels)
        for rows in target.channel_rows
    ]


def _few_weights(problem: Problem[ConvGeometry]) -> bool:
    """Whether a layer may have its weights as float32 each: they are not shared, and so are that already, or few."""
    return isinstance(problem.weight, Dense) or problem.weight.size <= problem.target.winograd_weights


def _sparse_shift(problem: Problem[ConvGeometry]) -> list[ShiftTiling]:
    g = problem.geometry
    if problem.epilogue.pool or not ShiftTiling.fits(g):
        return []
    rows = [n for n in problem.target.shift_rows if n % ShiftTiling.vectors_of_row(g) == 0]
    return [ShiftTiling.of(g, n, _block(problem), problem.target.wide) for n in rows]


def _depthwise(problem: Problem[ConvGeometry]) -> list[WindowTiling]:
    if problem.epilogue.pool or not WindowTiling.fits(problem.geometry):
        return []
    return [WindowTiling(problem.geometry, rows) for rows in problem.target.window_rows]


def _depthwise_pairs(problem: Problem[ConvGeometry]) -> list[PairTiling]:
    if problem.epilogue.pool or problem.epilogue.residual or not PairTiling.fits(problem.geometry):
        return []
    return [PairTiling(problem.geometry, rows) for rows in problem.target.pair_rows]


def _depthwise_taps(problem: Problem[ConvGeometry]) -> list[PlaneTiling]:
    if problem.epilogue.pool or not PlaneTiling.fits(problem.geometry):
        return []
    return [PlaneTiling(problem.geometry, vectors) for vectors in problem.target.plane_vectors]


def winograd_tilings(problem: Problem[ConvGeometry], rows: int, columns: int, pack: int) -> list[WinogradTiling]:
    """The tiling of Winograd's algorithm, if it may be used and takes the layer."""
    if not settings.winograd() or not WinogradTiling.fits(problem.geometry):
        return []
    tiling = WinogradTiling(problem.geometry, rows, columns, pack)
    return [] if problem.epilogue.overlap or (problem.epilogue.pool and tiling.edge % 2) else [tiling]


def _winograd(problem: Problem[ConvGeometry]) -> list[WinogradTiling]:
    if problem.epilogue.residual:
        return []
    target, unshared = problem.target, isinstance(problem.weight, Dense)
    tilings = winograd_tilings(problem, *target.winograd, LANES)
    if tilings and target.wide and unshared and not problem.epilogue.pool:  # small tiles were not measured elsewhere
        others = winograd.OUTPUTS[tilings[0].reach][1:]
        tilings += [WinogradTiling(problem.geometry, *target.winograd, LANES, edge) for edge in others]
    most = target.winograd_unshared if unshared else target.winograd_weights
    return [tiling for tiling in tilings if tiling.weight_elements <= most]


def _words_winograd(problem: Problem[ConvGeometry]) -> list[WinogradTiling]:
    if not problem.target.words or not is_finite(problem.weight):
        return []
    return [tiling for tiling in _winograd(problem) if tiling.units <= MOST_UNITS]


def _words_strips(problem: Problem[ConvGeometry]) -> list[StripTiling]:
    g, target, pool = problem.geometry, problem.target, problem.epilogue.pool
    allowed = target.words and is_finite(problem.weight) and settings.winograd() and not problem.epilogue.residual
    if not allowed or not StripTiling.fits(g) or pool != problem.epilogue.overlap:
        return []
    run = StripTiling.run(g, target.word_registers)
    tilings = [StripTiling(g, run, columns, pool) for columns in target.strip_columns]
    return [tiling for tiling in tilings if tiling.units <= MOST_UNITS and tiling.can_pool >= pool]


def _winograd_sparse(problem: Problem[ConvGeometry]) -> list[WinogradTiling]:
    if problem.epilogue.residual or problem.geometry.stride != (1, 1):
        return []
    return winograd_tilings(problem, *problem.target.winograd_sparse)


def _as_linear(problem: Problem[ConvGeometry]) -> list[Choice]:
    g, epilogue = problem.geometry, problem.epilogue
    if epilogue.pool or g.out_height * g.out_width > UNROLLED_PIXELS:
        return []
    unrolled, linear = as_linear.unroll(SparseWeights.of(problem.weight), g), as_linear.linear_geometry(g)
    return linear_choices(unrolled, linear, as_linear.linear_epilogue(epilogue, g), problem.target)[:1]


def _any_linear(problem: Problem[LinearGeometry]) -> list[LinearGeometry]:
    return [problem.geometry]


def _permute16(problem: Problem[LinearGeometry]) -> list[permute16.Windowing]:
    if not _few_centroids(problem, permute16.MOST_CENTROIDS):
        return []
    g = problem.geometry
    few = problem.weight.density < problem.target.costs.linear.few
    return [permute16.Windowing(g.batch, g.in_features, g.out_features, 128 if few else 64)]


def _permute32(problem: Problem[LinearGeometry]) -> list[LinearGeometry]:
    if problem.geometry.in_features < permute32.WINDOW or not _few_centroids(problem, permute32.MOST_SHARED):
        return []
    assert isinstance(problem.weight, Shared | SparseShared)
    return [problem.geometry] if np.isfinite(problem.weight.codebook).all() else []


def _few_centroids(problem: Problem[LinearGeometry], most: int) -> bool:
    """Whether the processor permutes vectors, and weights are shared by so few centroids that it can permute those."""
    shared = isinstance(problem.weight, Shared | SparseShared) and len(problem.weight.codebook) <= most
    return shared and problem.target.permutes and problem.geometry.in_features <= MOST_FEATURES


CONVOLUTIONS: tuple[Row[ConvGeometry, Any], ...] = (
    Row("conv_sparse", _sparse, cost.sparse, ConvSparse, lambda t: f"{t.rows}x{t.span}x{t.bands}", FINALISTS),
    Row("conv_dense", _dense, cost.dense, ConvDense, lambda t: f"{t.rows}x{t.span}x{t.bands}", FINALISTS),
    Row(
        "conv_words_sparse",
        _words,
        cost.words_sparse,
        ConvWordsSparse,
        lambda t: f"{t.rows}x{t.span}x{t.bands}",
        FINALISTS,
    ),
    Row(
        "conv_words_dense",
        _words_dense,
        cost.words_dense,
        ConvWordsDense,
        lambda t: f"{t.rows}x{t.span}x{t.bands}",
        FINALISTS,
    ),
    Row("conv_words_winograd", _words_winograd, cost.words_winograd, ConvWordsWinograd),
    Row(
        "conv_words_strips",
        _words_strips,
        cost.words_strips,
        ConvWordsStrips,
        lambda t: f"{t.rows}x{t.columns}",
    ),
    Row("conv_channels", _channels, cost.channels, ConvChannels, lambda t: f"{t.rows}x{t.span}x{t.bands}", FINALISTS),
    Row("conv_sliding", _sparse_shift, cost.sparse_shift, ConvSliding, lambda t: str(t.rows)),
    Row("conv_depthwise", _depthwise, cost.depthwise, ConvDepthwise, lambda t: str(t.rows), most=1),
    Row(
        "conv_depthwise_pairs",
        _depthwise_pairs,
        cost.depthwise_pairs,
        ConvDepthwisePairs,
        lambda t: str(t.rows),
        most=1,
    ),
    Row(
        "conv_depthwise_taps",
        _depthwise_taps,
        cost.depthwise_taps,
        ConvDepthwiseTaps,
        lambda t: str(t.vectors),
        most=1,
    ),
    Row("conv_winograd", _winograd, cost.winograd, ConvWinograd, most=1),
    Row("conv_winograd_sparse", _winograd_sparse, cost.winograd_sparse, ConvWinogradSparse),
    Row(
        "conv_unrolled",
        _as_linear,
        cycles=lambda costs, choice, weight: choice.cycles,
        pack=lambda weight, choice, epilogue: as_linear.ConvUnrolled(choice.pack()),
        label=lambda choice: choice.kernel,
    ),
)
LINEARS: tuple[Row[LinearGeometry, Any], ...] = (
    Row("linear_sparse", _any_linear, cost.linear_csr, LinearSparse),
    Row("linear_dense", _any_linear, cost.linear_dense, LinearDense),
    Row("linear_windowed", _permute16, cost.linear_permute16, permute16.LinearWindowed, lambda t: str(t.window)),
    Row("linear_triples", _permute32, cost.linear_permute32, permute32.LinearTriples),
)


def conv_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, target: Target = HOST) -> list[Choice]:
    """Ways to compute a convolution, the one estimated to be fastest first: of a kernel's tilings, the best few.

    There may be none that pools.

    Parameters
    ----------
    weight : Tensor
        Shape (out_channels, in_channels / groups, KH, KW), any decoded form.
    geometry : ConvGeometry
    epilogue : Epilogue
    target : Target
    """
    return choices_of(CONVOLUTIONS, Problem(weight, geometry, epilogue, target))


def linear_choices(weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue, target: Target = HOST) -> list[Choice]:
    """Ways to compute a fully connected layer, the one estimated to be fastest first.

    Parameters
    ----------
    weight : Tensor
        Shape (out_features, in_features), any decoded form.
    geometry : LinearGeometry
    epilogue : Epilogue
    target : Target
    """
    return choices_of(LINEARS, Problem(weight, geometry, epilogue, target))


def choices_of(table: Sequence[Row[Geometry, Any]], problem: Problem[Geometry]) -> list[Choice]:
    """The choices of all kernels of a table, the one estimated to be fastest first."""
    return sorted((choice for row in table for choice in row.choices(problem)), key=attrgetter("cycles"))


def pool_pays(geometry: ConvGeometry, pooling: list[Choice], others: list[Choice], target: Target = HOST) -> bool:
    """Whether a convolution should pool its outputs itself, by the choices that do so and those that do not."""
    apart = geometry.out_channels * geometry.out_height * geometry.out_width * target.costs.direct.pooled
    return bool(pooling) and pooling[0].cycles < others[0].cycles + apart


def by_kernel(choices: list[Choice]) -> dict[str, Callable[[], PackedLayer]]:
    """What packs the best choice of each kernel, by the kernel's name; `choices` begin with the best."""
    best = {choice.kernel: choice for choice in reversed(choices)}
    return {choice.kernel: choice.pack for choice in choices if best[choice.kernel] is choice}
