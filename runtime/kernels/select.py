"""The choice of kernel and tiling for a layer, by an estimate of its cycles.

The estimates need only rank the choices of one layer, so they are counts of vector operations with measured weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import llvmlite.binding as llvm
from numba import config

from ...dcformat.tensors import Shared, SparseShared, Tensor
from ..layer import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from .conv_dense import ConvDense
from .conv_sparse import ConvSparse
from .conv_tile import LANES, Plane, Tiling
from .linear_dense import LinearDense
from .linear_sparse import LinearSparse
from .linear_windowed import MOST_CENTROIDS, SAMPLES, LinearWindowed
from .weights import DenseWeights, SparseWeights

Factory = Callable[[], PackedLayer]


def _wide_registers() -> bool:
    """Whether the target of compilation has 32 registers of 512 bits, as told by Numba's settings or by the CPU."""
    if config.CPU_FEATURES is not None:
        return "+avx512f" in config.CPU_FEATURES
    return bool(llvm.get_host_cpu_features().get("avx512f", False))


WIDE = _wide_registers()
TILE_ROWS = (1, 2, 4, 8, 14) if WIDE else (1, 2, 4, 6)
"""Rows of a tile that kernels are compiled for: few, as each takes seconds the first time."""
REGISTERS = 28 if WIDE else 7
"""Vectors that a dense kernel may hold."""
SPARSE_BUDGET, DENSE_BUDGET = 384, 1536
"""Vectors of a packed block: 24 KiB of the L1 cache, and 96 KiB of the L2 cache, whose loads serve several outputs."""

# Cycles, measured on Zen 4, where a vector multiply-add takes one.
SEGMENT_CYCLES, ROW_CYCLES, PACK_CYCLES, BAND_CYCLES, LATENCY = 18.0, 3.0, 3.0, 4.0, 4


def _spans(width: int) -> list[tuple[int, int]]:
    """Worthwhile (span, bands): even cuts of a row, and as many bands as fill the lanes."""
    cuts = {-(-width // n) for n in range(-(-width // LANES), min(width, 4 * -(-width // LANES)) + 1)}
    return sorted({(span, LANES // span) for span in cuts})


def _tilings(geometry: ConvGeometry, budget: int, merge: bool) -> list[Tiling]:
    spans = _spans(Plane.of(geometry).out_width)
    return [Tiling(geometry, rows, *span, budget, merge) for rows in TILE_ROWS for span in spans]


def _pack_cycles(tiling: Tiling) -> float:
    g = tiling.geometry
    loads = {1: 1.0, 2: 2.0}.get(g.stride[1], 8.0)
    vectors = g.in_channels * g.kernel[1] * tiling.unit_vectors
    return vectors * (PACK_CYCLES + BAND_CYCLES * tiling.bands * loads)


def sparse_cycles(tiling: Tiling, nnz: int) -> float:
    """Estimated cycles of a sparse convolution of one sample."""
    outputs = (tiling.blocks[:, 3] - tiling.blocks[:, 2]).sum()
    segments = float(outputs) * (SEGMENT_CYCLES + ROW_CYCLES * tiling.rows)
    return tiling.tiles * (nnz * max(tiling.rows, LATENCY) + segments + _pack_cycles(tiling))


def dense_run(rows: int) -> int:
    """Output channels that a dense kernel takes at a time."""
    return max(1, min(12, REGISTERS // rows - 1))


def dense_cycles(tiling: Tiling) -> float:
    """Estimated cycles of a dense convolution of one sample."""
    g = tiling.geometry
    run = dense_run(tiling.rows)
    runs = g.groups * -(-(g.out_channels // g.groups) // run)
    taps = g.in_channels // g.groups * g.kernel[0] * g.kernel[1]
    each = max(run * tiling.rows, LATENCY) + tiling.rows
    sums = runs * (SEGMENT_CYCLES + ROW_CYCLES * tiling.rows * run)
    return tiling.tiles * (taps * runs * each + sums + _pack_cycles(tiling))


def _conv_choices(weight: Tensor, geometry: ConvGeometry) -> tuple[tuple[float, Tiling], tuple[float, Tiling]]:
    """The best sparse and the best dense tiling, each with its cycles."""
    sparse = ((sparse_cycles(t, weight.nnz), i, t) for i, t in enumerate(_tilings(geometry, SPARSE_BUDGET, True)))
    dense = ((dense_cycles(t), i, t) for i, t in enumerate(_tilings(geometry, DENSE_BUDGET, False)))
    (sparse_cost, _, sparse_tiling), (dense_cost, _, dense_tiling) = min(sparse), min(dense)
    return (sparse_cost, sparse_tiling), (dense_cost, dense_tiling)


def _conv_sparse(weight: Tensor, tiling: Tiling, epilogue: Epilogue) -> PackedLayer:
    return ConvSparse(SparseWeights.of(weight), tiling, epilogue)


def _conv_dense(weight: Tensor, tiling: Tiling, epilogue: Epilogue) -> PackedLayer:
    return ConvDense(DenseWeights.of(weight), tiling, dense_run(tiling.rows), epilogue)


def conv_candidates(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> dict[str, Factory]:
    """Ways to compute a convolution, by kernel name, the one estimated to be fastest first.

    Parameters
    ----------
    weight : Tensor
        Shape (out_channels, in_channels / groups, KH, KW), any decoded form.
    geometry : ConvGeometry
    epilogue : Epilogue

    Returns
    -------
    dict of str to callable
        Each packs the weights when called.
    """
    (sparse_cost, sparse_tiling), (dense_cost, dense_tiling) = _conv_choices(weight, geometry)
    sparse: tuple[str, Factory] = ("conv_sparse", partial(_conv_sparse, weight, sparse_tiling, epilogue))
    dense: tuple[str, Factory] = ("conv_dense", partial(_conv_dense, weight, dense_tiling, epilogue))
    return dict([sparse, dense] if sparse_cost <= dense_cost else [dense, sparse])


def pack_conv(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> PackedLayer:
    """Pack a convolution for the kernel estimated to be fastest. Parameters as for `conv_candidates`."""
    return next(iter(conv_candidates(weight, geometry, epilogue).values()))()


def linear_candidates(weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> dict[str, Factory]:
    """Ways to compute a fully connected layer, by kernel name, the one estimated to be fastest first.

    The order depends on the layer alone, not on the batch: a batch gives the same bits however it is split.

    Parameters
    ----------
    weight : Tensor
        Shape (out_features, in_features), any decoded form.
    geometry : LinearGeometry
    epilogue : Epilogue

    Returns
    -------
    dict of str to callable
        Each packs the weights when called.
    """
    choices: list[tuple[float, str, Factory]] = [
        (
            ROW_WEIGHT_CYCLES * weight.density,
            "linear_sparse",
            lambda: LinearSparse(SparseWeights.of(weight), geometry, epilogue),
        ),
        (DENSE_WEIGHT_CYCLES, "linear_dense", lambda: LinearDense(DenseWeights.of(weight), geometry, epilogue)),
    ]
    if WIDE and isinstance(weight, Shared | SparseShared) and len(weight.codebook) <= MOST_CENTROIDS:
        window = 64 if geometry.batch < SAMPLES else 32
        cycles = next(cost for size, cost in SLOT_WEIGHT_CYCLES.items() if len(weight.codebook) < size)
        if geometry.in_features >= 64:
            choices.append(
                (
                    cycles * weight.density,
                    "linear_windowed",
                    lambda: LinearWindowed(SparseWeights.of(weight), geometry, epilogue, SLOTS, window),
                )
            )
    return {name: factory for _, name, factory in sorted(choices, key=lambda choice: choice[0])}


# Cycles a weight, measured on Zen 4: a scalar row; a dense one, bound by memory; a slot, by the size of the codebook.
ROW_WEIGHT_CYCLES, DENSE_WEIGHT_CYCLES = 2.2, 0.75
SLOT_WEIGHT_CYCLES = {32: 0.46, 64: 0.68, 128: 0.88, 256: 1.24}
SLOTS = 2


def pack_linear(weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> PackedLayer:
    """Pack a fully connected layer for the kernel estimated to be fastest. Parameters as for `linear_candidates`."""
    return next(iter(linear_candidates(weight, geometry, epilogue).values()))()
