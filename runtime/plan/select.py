"""The choice of kernel and tiling for a layer, by an estimate of its cycles.

The estimates need only rank the choices of one layer. They count vector operations, with weights fitted to timings on
Zen 4; ``python -m benchmarks.kernels --candidates`` times what was chosen beside what was not.

No choice depends on the batch, so a batch that is split gives the same bits. (`select_batch16` is for samples that lie
side by side.)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np

from ...dcformat.tensors import Shared, SparseShared, Tensor
from ..kernels.contract import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from ..kernels.conv import as_linear as conv_unrolled
from ..kernels.conv.direct import sparse_shift as conv_sliding
from ..kernels.conv.direct.dense import ConvDense
from ..kernels.conv.direct.sparse import ConvSparse
from ..kernels.conv.direct.sparse_shift import ConvSliding
from ..kernels.conv.direct.tile import LANES, Plane, Tiling
from ..kernels.conv.direct.weight_stream import LATENCY
from ..kernels.conv.winograd.dense import ConvWinograd
from ..kernels.conv.winograd.sparse import ConvWinogradSparse
from ..kernels.conv.winograd.tiles import WinogradTiling
from ..kernels.linear.csr import LinearSparse
from ..kernels.linear.dense import LinearDense
from ..kernels.linear.permute16 import MOST_CENTROIDS, LinearWindowed
from ..kernels.linear.permute32 import MOST_SHARED, WINDOW, LinearTriples
from ..kernels.linear.slices import MOST_FEATURES
from ..kernels.weights import DenseWeights, SparseWeights
from ..processor import WIDE, WORDS

Factory = Callable[[], PackedLayer]


class Choice(NamedTuple):
    """A way to compute a layer."""

    cycles: float
    """An estimate."""
    kernel: str
    tiling: str
    pack: Factory
    """Packs the weights."""

    @property
    def name(self) -> str:
        """Tells the choices of a layer apart."""
        return f"{self.kernel} {self.tiling}".rstrip()


SPARSE_ROWS = (1, 4, 7, 8, 13, 14) if WIDE else (1, 4, 6)
SLIDING_ROWS = (4, 7, 8, 13, 14, 16)
DENSE_ROWS = (1, 4, 7) if WIDE else (1, 2)
"""Rows of a tile that kernels are compiled for: few, as each takes seconds the first time."""
REGISTERS = 28 if WIDE else 7
"""Vectors that a dense kernel may hold: sums, and a weight for each run of them."""
BUDGET, THIN_BUDGET, DENSE_BUDGET = 448, 640, 1536
"""Vectors of a packed block: 28 KiB of the L1 cache; a little more where weights are few, as less of it is read; 96 KiB
of the L2 cache where a load serves several outputs."""
THIN = 0.15
"""Density below which weights are few."""
WINOGRAD = os.environ.get("DCZ_WINOGRAD", "1") != "0"
"""Whether Winograd's algorithm may be chosen. Its rounding errors, some 1e-6 of the greatest output, exceed the 2e-7 of
direct sums, and numbers that are not finite spread to their neighbours."""
WINOGRAD_TILE = (8, 3) if WIDE else (4, 1)
"""Output channels and vectors whose sums Winograd's algorithm holds in registers."""
WINOGRAD_WEIGHTS = 3 << 18
"""Most elements, 3 MiB, of weights that are kept transformed, which makes sparse ones many times as large."""
SPARSE_WINOGRAD_TILE = (14, 2, 14) if WIDE else (6, 1, 12)
"""Where they stay sparse: tiles and vectors of output channels whose sums are held in registers; tiles of a vector."""
UNROLLED_PIXELS = 4
"""Most output pixels of a convolution that is tried as a fully connected layer."""
FINALISTS = 3
"""Tilings of a kernel that are worth a trial."""
FEW = 0.06
"""Density of fully connected layers below which wide windows pay."""

# Cycles, where a vector multiply-add of the dense kernel takes one: of one in the sparse kernel, which loads an
# operand; of a weight beside them (more in a short tile with its chains), of a vector of sums for each segment, of
# packing a unit, of a finished vector; of a packed vector by stride.
MULTIPLY, WEIGHT, SHORT_WEIGHT, SUMS, UNIT, FINISH = 1.2, 0.7, 1.0, 5.7, 4.0, 7.4
PACK = {1: 5.0, 2: 7.0, 4: 11.0}
GATHER = 60.0
SHORT_SEGMENT = 5.0
# Where sums slide: of a vector of sums for each segment, and of a segment with its three runs of weights.
SLIDING_SUMS, SLIDING_SEGMENT = 6.0, 30.0
DENSE_WEIGHT = 1.0
# Of a vector of tiles in Winograd's algorithm, for each point: of its inputs, and of its outputs; of a multiply-add; of
# an output channel at a point beside them; and what a vector counts for that is alone in a block.
TILES_IN, TILES_OUT, WINOGRAD_MULTIPLY, POINT, SINGLE = 25.0, 9.5, 1.1, 6.0, 1.3
# Where weights stay sparse: of its outputs, which are turned; of a vector of weights for each point; of a weight.
TURNED_OUT, WEIGHTS_IN, SCATTER = 18.0, 10.0, 2.0
# Of a pixel that is stored for a kernel of its own to pool.
POOLED = 2.0
# Cycles of a weight in fully connected layers: a row at a time; dense, bound by memory; windowed, by size of codebook;
# three in a word, in layers of many weights and of few.
ROW_CYCLES, LINEAR_DENSE_CYCLES = 2.2, 0.75
WINDOWED_CYCLES = {64: 0.40, 128: 0.46, 256: 0.66}
TRIPLE_CYCLES, FEW_TRIPLE_CYCLES = 0.30, 0.60
OUTPUT_CYCLES = 6.0


def _spans(width: int) -> list[tuple[int, int]]:
    """Worthwhile (span, bands): even cuts of a row, and as many bands as fill the lanes."""
    least = -(-width // LANES)
    cuts = {-(-width // n) for n in range(least, min(width, 4 * least) + 1)}
    return sorted({(span, LANES // span) for span in cuts})


def _tilings(geometry: ConvGeometry, heights: tuple[int, ...], budget: int, merge: bool) -> list[Tiling]:
    spans = _spans(Plane.of(geometry).out_width)
    return [Tiling(geometry, rows, *span, budget, merge) for rows in heights for span in spans]


def _edge_cycles(tiling: Tiling) -> float:
    """Cycles of packing and finishing one tile."""
    g = tiling.geometry
    strips = g.in_channels * g.kernel[1] * len(tiling.phases) * tiling.bands
    packed = strips * (UNIT + tiling.reach * PACK.get(g.stride[1], GATHER))
    return packed + g.out_channels * tiling.rows * tiling.bands * FINISH


def sparse_cycles(tiling: Tiling, nnz: int) -> float:
    """Estimated cycles of a sparse convolution of one sample."""
    segments, short = tiling.segments, tiling.rows < LATENCY
    weights = nnz * (tiling.rows * MULTIPLY + (SHORT_WEIGHT if short else WEIGHT))
    sums = segments * (tiling.rows * SUMS + (SHORT_SEGMENT if short else 0))
    return tiling.tiles * (weights + sums + _edge_cycles(tiling))


def sliding_cycles(tiling: Tiling, nnz: int) -> float:
    """Estimated cycles of a sparse convolution of one sample whose sums slide."""
    sums = tiling.segments * (tiling.rows * SLIDING_SUMS + SLIDING_SEGMENT)
    return tiling.tiles * (nnz * (tiling.rows * MULTIPLY + WEIGHT) + sums + _edge_cycles(tiling))


def dense_run(rows: int) -> int:
    """Output channels that a dense kernel takes at a time."""
    return max(1, min(12, REGISTERS // (rows + 1)))


def dense_cycles(tiling: Tiling) -> float:
    """Estimated cycles of a dense convolution of one sample."""
    g = tiling.geometry
    run = dense_run(tiling.rows)
    runs = g.groups * -(-(g.out_channels // g.groups) // run)
    taps = g.in_channels // g.groups * g.kernel[0] * g.kernel[1]
    multiply = taps * runs * (max(run * tiling.rows, LATENCY) + DENSE_WEIGHT)
    sums = tiling.segments / g.out_channels * runs * run * tiling.rows * SUMS
    return tiling.tiles * (multiply + sums + _edge_cycles(tiling))


def winograd_cycles(tiling: WinogradTiling) -> float:
    """Estimated cycles of a convolution by Winograd's algorithm, of one sample."""
    g, points = tiling.geometry, tiling.points**2
    inputs = g.groups * tiling.units * tiling.vectors * TILES_IN
    outputs = g.out_channels * tiling.vectors * TILES_OUT
    single = tiling.columns > tiling.vectors % tiling.columns == 1  # in the last block
    vectors = tiling.vectors - 1 + SINGLE if single else tiling.blocks * tiling.columns
    sums = tiling.runs * tiling.run * (vectors * tiling.units * WINOGRAD_MULTIPLY + tiling.blocks * POINT)
    return points * (inputs + outputs + sums)


def winograd_sparse_cycles(tiling: WinogradTiling, nnz: int) -> float:
    """The same where the weights stay sparse, of one sample."""
    g, points = tiling.geometry, tiling.points**2
    width = tiling.columns * LANES
    groups = g.groups * -(-(g.out_channels // g.groups) // width)
    inputs = g.groups * tiling.units * tiling.vectors * TILES_IN
    outputs = g.out_channels * tiling.vectors * TURNED_OUT
    halves = -(-2 * tiling.tiles // tiling.run)
    sums = groups * halves * (tiling.run / 2 * tiling.columns * tiling.units * WINOGRAD_MULTIPLY + POINT)
    weights = groups * tiling.columns * tiling.units * WEIGHTS_IN
    return points * (inputs + outputs + sums + weights) + nnz * SCATTER


def _conv_winograd(weight: Tensor, tiling: WinogradTiling, epilogue: Epilogue) -> PackedLayer:
    return ConvWinograd(DenseWeights.of(weight), tiling, epilogue)


def _conv_winograd_sparse(weight: Tensor, tiling: WinogradTiling, epilogue: Epilogue) -> PackedLayer:
    return ConvWinogradSparse(SparseWeights.of(weight), tiling, epilogue)


def _winograd_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> list[Choice]:
    """Winograd's algorithm, where there is a way."""
    if not WINOGRAD or epilogue.residual or not WinogradTiling.fits(geometry):
        return []
    tiling = WinogradTiling(geometry, *WINOGRAD_TILE, LANES)
    if epilogue.pool and tiling.edge % 2:
        return []
    choices = []
    if tiling.weight_elements <= WINOGRAD_WEIGHTS:
        cycles, factory = winograd_cycles(tiling), partial(_conv_winograd, weight, tiling, epilogue)
        choices.append(Choice(cycles, "conv_winograd", "", factory))
    if geometry.stride == (1, 1):
        tiling = WinogradTiling(geometry, *SPARSE_WINOGRAD_TILE)
        cycles = winograd_sparse_cycles(tiling, weight.nnz)
        factory = partial(_conv_winograd_sparse, weight, tiling, epilogue)
        choices.append(Choice(cycles, "conv_winograd_sparse", "", factory))
    return choices


def _conv_sparse(weight: Tensor, tiling: Tiling, epilogue: Epilogue) -> PackedLayer:
    return ConvSparse(SparseWeights.of(weight), tiling, epilogue)


def _conv_sliding(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, tiling: Tiling) -> PackedLayer:
    return ConvSliding(SparseWeights.of(weight), geometry, tiling, epilogue)


def _sliding_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, budget: int) -> list[Choice]:
    """Sliding sums, where there is a way; without AVX-512 leaving out single lanes costs too much."""
    if not (WIDE and conv_sliding.fits(geometry)):
        return []
    upright, run = conv_sliding.upright(geometry), conv_sliding.run_length(geometry)
    rows = [n for n in SLIDING_ROWS if n % run == 0]
    tilings = [Tiling(upright, n, upright.width, LANES // upright.width, budget) for n in rows]
    pack = partial(_conv_sliding, weight, geometry, epilogue)
    return [Choice(sliding_cycles(t, weight.nnz), "conv_sliding", str(t.rows), partial(pack, t)) for t in tilings]


def _conv_dense(weight: Tensor, tiling: Tiling, epilogue: Epilogue) -> PackedLayer:
    return ConvDense(DenseWeights.of(weight), tiling, dense_run(tiling.rows), epilogue)


def _unrolled_choice(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> Choice:
    unrolled = conv_unrolled.unroll(SparseWeights.of(weight), geometry)
    linear = conv_unrolled.linear_geometry(geometry)
    best = linear_choices(unrolled, linear, conv_unrolled.linear_epilogue(epilogue, geometry))[0]
    return Choice(best.cycles, "conv_unrolled", best.kernel, lambda: conv_unrolled.ConvUnrolled(best.pack()))


def conv_choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> list[Choice]:
    """Ways to compute a convolution, the one estimated to be fastest first: of a kernel's tilings, the best few.

    There may be none that pools.

    Parameters
    ----------
    weight : Tensor
        Shape (out_channels, in_channels / groups, KH, KW), any decoded form.
    geometry : ConvGeometry
    epilogue : Epilogue
    """
    if epilogue.pool:
        return by_cost(_winograd_choices(weight, geometry, epilogue))
    nnz, budget = weight.nnz, THIN_BUDGET if weight.density < THIN else BUDGET
    sparse = ((sparse_cycles(t, nnz), t) for t in _tilings(geometry, SPARSE_ROWS, budget, True))
    dense = ((dense_cycles(t), t) for t in _tilings(geometry, DENSE_ROWS, DENSE_BUDGET, False))
    choices = [
        Choice(cycles, name, f"{t.rows}x{t.span}x{t.bands}", partial(pack, weight, t, epilogue))
        for name, pack, tilings in (("conv_sparse", _conv_sparse, sparse), ("conv_dense", _conv_dense, dense))
        for cycles, t in sorted(tilings, key=itemgetter(0))[:FINALISTS]
    ]
    choices += _sliding_choices(weight, geometry, epilogue, budget)
    choices += _winograd_choices(weight, geometry, epilogue)
    if geometry.out_height * geometry.out_width <= UNROLLED_PIXELS:
        choices.append(_unrolled_choice(weight, geometry, epilogue))
    return by_cost(choices)


def pool_pays(geometry: ConvGeometry, pooling: list[Choice], others: list[Choice]) -> bool:
    """Whether a convolution had better pool its outputs itself, by the choices that do and that leave it to others."""
    apart = geometry.out_channels * geometry.out_height * geometry.out_width * POOLED
    return bool(pooling) and pooling[0].cycles < others[0].cycles + apart


def linear_choices(weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> list[Choice]:
    """Ways to compute a fully connected layer, the one estimated to be fastest first.

    Parameters
    ----------
    weight : Tensor
        Shape (out_features, in_features), any decoded form.
    geometry : LinearGeometry
    epilogue : Epilogue
    """
    size, outputs = weight.size, geometry.out_features * OUTPUT_CYCLES
    choices = [
        Choice(
            weight.nnz * ROW_CYCLES + outputs,
            "linear_sparse",
            "",
            lambda: LinearSparse(SparseWeights.of(weight), geometry, epilogue),
        ),
        Choice(
            size * LINEAR_DENSE_CYCLES + outputs,
            "linear_dense",
            "",
            lambda: LinearDense(DenseWeights.of(weight), geometry, epilogue),
        ),
    ]
    shared = isinstance(weight, Shared | SparseShared) and len(weight.codebook) <= MOST_CENTROIDS
    if WORDS and shared and geometry.in_features <= MOST_FEATURES:
        assert isinstance(weight, Shared | SparseShared)
        cycles = next(cost for most, cost in WINDOWED_CYCLES.items() if len(weight.codebook) < most)
        few = weight.density < FEW
        choices.append(
            Choice(
                weight.nnz * cycles + outputs,
                "linear_windowed",
                str(128 if few else 64),
                lambda: LinearWindowed(SparseWeights.of(weight), geometry, epilogue, 128 if few else 64),
            )
        )
        if (
            geometry.in_features >= WINDOW
            and len(weight.codebook) <= MOST_SHARED
            and np.isfinite(weight.codebook).all()
        ):
            choices.append(
                Choice(
                    weight.nnz * (FEW_TRIPLE_CYCLES if few else TRIPLE_CYCLES) + outputs,
                    "linear_triples",
                    "",
                    lambda: LinearTriples(SparseWeights.of(weight), geometry, epilogue),
                )
            )
    return by_cost(choices)


def by_cost(choices: list[Choice]) -> list[Choice]:
    """The one estimated to be fastest first."""
    return sorted(choices, key=attrgetter("cycles"))


def by_kernel(choices: list[Choice]) -> dict[str, Factory]:
    """What packs the best choice of each kernel, by the kernel's name; `choices` begin with the best."""
    best = {choice.kernel: choice for choice in reversed(choices)}
    return {choice.kernel: choice.pack for choice in choices if best[choice.kernel] is choice}
