"""Estimates of how many cycles a kernel takes for a layer.

The estimates need only rank the choices of one layer. They count operations on vectors of 16 float32, and weigh them by
the `costs` of a kind of processor.

Each estimate is a function of the costs, the tiling and the weights, for one sample or for 16 side by side.
"""

from __future__ import annotations

from ...dcformat.tensors import Shared, SparseShared, Tensor
from ..kernels.contract import LinearGeometry
from ..kernels.conv.batch16.sparse import LaneTiling
from ..kernels.conv.batch16.sparse_small import TAPS, TapTiling
from ..kernels.conv.depthwise import WindowTiling
from ..kernels.conv.depthwise_pairs import PAIR, PairTiling
from ..kernels.conv.depthwise_taps import PlaneTiling
from ..kernels.conv.direct.dense import DenseTiling
from ..kernels.conv.direct.dense_channels import ChannelTiling
from ..kernels.conv.direct.sparse_shift import ShiftTiling
from ..kernels.conv.direct.tile import Tiling, is_pointwise
from ..kernels.conv.direct.weight_stream import LATENCY
from ..kernels.conv.winograd.tiles import WinogradTiling
from ..kernels.words.dense import DenseWordTiling
from ..kernels.words.sparse import pairs_of
from ..kernels.words.strips import StripTiling
from ..simd import LANES
from ..simd.reference.pairs import PAIR as WORDS
from .costs import Costs, DirectCosts, WordCosts


def sparse(costs: Costs, tiling: Tiling, weight: Tensor) -> float:
    """Cycles of `conv.direct.sparse`."""
    c, short = costs.direct, tiling.rows < LATENCY
    weights = weight.nnz * (tiling.rows * c.multiply + (c.short_weight if short else c.weight))
    sums = tiling.segments * (tiling.rows * c.sums + (c.short_segment if short else 0))
    return tiling.tiles * (weights + sums + _tile(c, tiling))


def words_sparse(costs: Costs, tiling: Tiling, weight: Tensor) -> float:
    """Cycles of `words.sparse`."""
    c, g = costs.words, tiling.geometry
    pairs = weight.nnz / WORDS + tiling.segments / 4  # every second segment ends with half a pair
    products = pairs * (tiling.rows * c.pair + c.pair_each)
    sums = tiling.segments * (2 * tiling.rows * c.sums + c.segment)
    strips = g.in_channels * g.kernel[1] * len(tiling.phases) * tiling.bands
    packed = strips * (c.unit + tiling.reach * c.packed.get(g.stride[1], c.gathered))
    finished = 2 * g.out_channels * tiling.rows * tiling.bands * c.finished
    scanned = g.in_channels * g.height * g.width / LANES * c.scanned
    return pairs_of(tiling) * (products + sums + packed + finished) + scanned


def words_dense(costs: Costs, tiling: DenseWordTiling, weight: Tensor) -> float:
    """Cycles of `words.dense`."""
    c, g, run = costs.words, tiling.geometry, tiling.run
    runs = g.groups * -(-(g.out_channels // g.groups) // run)
    pairs = -(-g.in_channels // g.groups * g.kernel[1] // PAIR) * g.kernel[0]
    products = pairs * runs * run * tiling.rows * c.dense
    sums = tiling.segments / g.out_channels * runs * run * tiling.rows * c.dense_sums
    packed = _paired(c, tiling)
    finished = g.out_channels * tiling.rows * tiling.bands * c.finished
    scanned = g.in_channels * g.height * g.width / LANES * c.scanned
    return tiling.tiles * (products + sums + packed + finished) + scanned


def _paired(c: WordCosts, tiling: DenseWordTiling) -> float:
    """Cycles of packing one tile, two units to a vector."""
    g = tiling.geometry
    if is_pointwise(g):
        return -(-g.in_channels // PAIR) * c.aligned
    strips = g.in_channels * g.kernel[1] / PAIR * len(tiling.phases) * tiling.bands
    return strips * (c.unit + tiling.reach * c.packed.get(g.stride[1], c.gathered))


def sparse_shift(costs: Costs, tiling: ShiftTiling, weight: Tensor) -> float:
    """Cycles of `conv.direct.sparse_shift`."""
    c = costs.direct
    sums = tiling.segments * (tiling.rows * c.shifted_sums + c.shifted_segment)
    return tiling.tiles * (weight.nnz * (tiling.rows * c.multiply + c.weight) + sums + _tile(c, tiling))


def dense(costs: Costs, tiling: DenseTiling, weight: Tensor) -> float:
    """Cycles of `conv.direct.dense`."""
    c, g, run = costs.direct, tiling.geometry, tiling.run
    runs = g.groups * -(-(g.out_channels // g.groups) // run)
    taps = g.in_channels // g.groups * g.kernel[0] * g.kernel[1]
    multiply = taps * runs * (max(run * tiling.rows, LATENCY) + c.dense_weight)
    if is_pointwise(g) and tiling.segments == g.out_channels:
        return tiling.tiles * (multiply + g.out_channels * tiling.rows * c.stored)
    sums = tiling.segments / g.out_channels * runs * run * tiling.rows * c.sums
    packed = 0 if is_pointwise(g) else _packed(c, tiling)
    return tiling.tiles * (multiply + sums + packed + _finished(c, tiling))


def channels(costs: Costs, tiling: ChannelTiling, weight: Tensor) -> float:
    """Cycles of `conv.direct.dense_channels`."""
    c, g, run = costs.direct, tiling.geometry, tiling.run
    runs = g.groups * -(-(g.out_channels // g.groups) // run)
    taps = g.in_channels // g.groups * g.kernel[0] * g.kernel[1]
    multiply = taps * (tiling.pixels * run / LANES + c.channel_weight)
    sums = tiling.segments / g.out_channels * tiling.pixels * run / LANES * c.sums / 2
    return tiling.vectors * runs * (multiply + sums + run * c.turned) + tiling.tiles * _tile(c, tiling)


def depthwise(costs: Costs, tiling: WindowTiling, weight: Tensor) -> float:
    """Cycles of `conv.depthwise`."""
    c, g = costs.direct, tiling.geometry
    tiles = tiling.bands * tiling.chunks
    products = tiles * tiling.rows * (g.kernel[0] * g.kernel[1] + c.window_finished)
    loads = tiles * ((tiling.rows - 1) * g.stride[0] + g.kernel[0]) * g.kernel[1]
    return g.out_channels * (products + loads * c.window_loaded[g.stride[0]] + c.window_channel)


def depthwise_pairs(costs: Costs, tiling: PairTiling, weight: Tensor) -> float:
    """Cycles of `conv.depthwise_pairs`."""
    c, g, rows = costs.direct, tiling.geometry, tiling.rows
    loads = ((rows - 1) * g.stride[0] + g.kernel[0]) * (g.kernel[1] + PAIR)
    band = rows * (g.kernel[0] * g.kernel[1] + PAIR * c.window_finished) + loads * c.pair_loaded
    return g.out_channels / PAIR * (tiling.bands * band + c.window_channel)


def depthwise_taps(costs: Costs, tiling: PlaneTiling, weight: Tensor) -> float:
    """Cycles of `conv.depthwise_taps`."""
    c, g, vectors = costs.direct, tiling.geometry, tiling.vectors
    products = weight.nnz * vectors * c.tap_loaded[g.stride[0]]
    return tiling.tiles * (products + g.out_channels * (vectors * c.window_finished + c.tap_tile))


def _tile(c: DirectCosts, tiling: Tiling) -> float:
    """Cycles of packing and finishing one tile."""
    return _packed(c, tiling) + _finished(c, tiling)


def _packed(c: DirectCosts, tiling: Tiling) -> float:
    """Cycles of packing one tile."""
    g = tiling.geometry
    strips = g.in_channels * g.kernel[1] * len(tiling.phases) * tiling.bands
    return strips * (c.unit + tiling.reach * c.packed.get(g.stride[1], c.gathered))


def _finished(c: DirectCosts, tiling: Tiling) -> float:
    """Cycles of finishing one tile."""
    return tiling.geometry.out_channels * tiling.rows * tiling.bands * c.finished


def winograd(costs: Costs, tiling: WinogradTiling, weight: Tensor) -> float:
    """Cycles of `conv.winograd.dense`."""
    c, g = costs.winograd, tiling.geometry
    inputs = g.groups * tiling.units * tiling.vectors * c.inputs
    outputs = g.out_channels * tiling.vectors * c.outputs
    vectors = _block_vectors(costs, tiling)
    sums = tiling.runs * tiling.rows * (vectors * tiling.units * c.multiply + tiling.blocks * c.channel)
    return tiling.points**2 * (inputs + outputs + sums)


def _block_vectors(costs: Costs, tiling: WinogradTiling) -> float:
    """Vectors of all blocks, as many as whole blocks have; one that is alone in the last block counts for more."""
    single = tiling.columns > tiling.vectors % tiling.columns == 1
    return tiling.vectors - 1 + costs.winograd.single if single else tiling.blocks * tiling.columns


def words_winograd(costs: Costs, tiling: WinogradTiling, weight: Tensor) -> float:
    """Cycles of `words.winograd`."""
    c, g = costs.words, tiling.geometry
    inputs = g.groups * tiling.units * tiling.vectors * (costs.winograd.inputs + c.rounded)
    outputs = g.out_channels * tiling.vectors * costs.winograd.outputs
    sums = tiling.runs * tiling.rows * _block_vectors(costs, tiling) * (-(-tiling.units // WORDS) * c.dense + c.scaled)
    return tiling.points**2 * (inputs + outputs + sums)


def words_strips(costs: Costs, tiling: StripTiling, weight: Tensor) -> float:
    """Cycles of `words.strips`."""
    c, columns = costs.words, tiling.columns
    inputs = tiling.lines * (columns + 1) * c.line + tiling.units * columns * c.rounded
    sums = tiling.runs * tiling.rows * columns
    products = sums * (-(-tiling.units // WORDS) * c.dense + c.scaled)
    finished = c.pooled if tiling.pool else c.finished
    return tiling.tiles * (tiling.points * (inputs + products) + sums * tiling.edge * finished)


def winograd_sparse(costs: Costs, tiling: WinogradTiling, weight: Tensor) -> float:
    """Cycles of `conv.winograd.sparse`."""
    c, g = costs.winograd, tiling.geometry
    width = tiling.columns * LANES
    groups = g.groups * -(-(g.out_channels // g.groups) // width)
    inputs = g.groups * tiling.units * tiling.vectors * c.inputs
    outputs = g.out_channels * tiling.vectors * c.turned_outputs
    halves = -(-2 * tiling.tiles // tiling.rows)
    sums = groups * halves * (tiling.rows / 2 * tiling.columns * tiling.units * c.multiply + c.channel)
    weights = groups * tiling.columns * tiling.units * c.weights
    return tiling.points**2 * (inputs + outputs + sums + weights) + weight.nnz * c.scattered


def linear_csr(costs: Costs, layer: LinearGeometry, weight: Tensor) -> float:
    """Cycles of `linear.csr`."""
    return weight.nnz * costs.linear.row + _outputs(costs, layer)


def linear_dense(costs: Costs, layer: LinearGeometry, weight: Tensor) -> float:
    """Cycles of `linear.dense`."""
    return weight.size * costs.linear.dense + _outputs(costs, layer)


def linear_permute16(costs: Costs, layer: LinearGeometry, weight: Tensor) -> float:
    """Cycles of `linear.permute16`; the weights are shared."""
    assert isinstance(weight, Shared | SparseShared)
    each = next(cost for most, cost in costs.linear.windowed.items() if len(weight.codebook) < most)
    return weight.nnz * each + _outputs(costs, layer)


def linear_permute32(costs: Costs, layer: LinearGeometry, weight: Tensor) -> float:
    """Cycles of `linear.permute32`."""
    few = weight.density < costs.linear.few
    return weight.nnz * (costs.linear.few_triples if few else costs.linear.triple) + _outputs(costs, layer)


def _outputs(costs: Costs, layer: LinearGeometry) -> float:
    return layer.out_features * costs.linear.output


def batch16_sparse(costs: Costs, tiling: LaneTiling, weight: Tensor) -> float:
    """Cycles of `conv.batch16.sparse`."""
    c, g, pixels = costs.batch16, tiling.geometry, tiling.shape[0] * tiling.shape[1]
    weights, sums = weight.nnz * (pixels + c.weight), tiling.segments * (pixels * c.sums + c.segment)
    packed = g.in_channels * len(tiling.phases[1]) * tiling.unit_vectors
    return tiling.tiles * (weights + sums + packed * c.packed)


def batch16_sparse_small(costs: Costs, tiling: TapTiling, weight: Tensor) -> float:
    """Cycles of `conv.batch16.sparse_small`."""
    c = costs.batch16
    sums = tiling.segments * (tiling.unit_vectors * c.sums + TAPS * c.tap)
    return weight.nnz * (tiling.products + c.weight) + sums


def batch16_winograd(costs: Costs, tiling: WinogradTiling, weight: Tensor) -> float:
    """Cycles of `conv.batch16.winograd`."""
    c, g = costs.batch16, tiling.geometry
    inputs, outputs = g.groups * tiling.units * c.inputs, g.out_channels * (c.outputs + c.channel)
    return tiling.points**2 * tiling.tiles * (inputs + outputs + tiling.runs * tiling.rows * tiling.units)
