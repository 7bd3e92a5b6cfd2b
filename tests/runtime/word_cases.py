"""Convolutions in words of 16 bits against their meaning in NumPy: shared by tests in this process and in others."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import kernel_cases as cases
import numpy as np
from kernel_cases import ConvCase
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.kernels.conv.direct.tile import Tiling
from dcz.runtime.kernels.conv.winograd.tiles import WinogradTiling
from dcz.runtime.kernels.descriptor import Block
from dcz.runtime.kernels.words.dense import ConvWordsDense, DenseWordTiling
from dcz.runtime.kernels.words.grid import make_grid
from dcz.runtime.kernels.words.sparse import ConvWordsSparse
from dcz.runtime.kernels.words.strips import ConvWordsStrips, StripTiling
from dcz.runtime.kernels.words.winograd import ConvWordsWinograd
from dcz.runtime.simd import LANES

F32 = NDArray[np.float32]
ERROR = 3e-4
"""Greatest error of a layer of random numbers, over its greatest output before the activation; most are below 1e-4."""
POINTS_ERROR = 1e-3
"""The same by Winograd's algorithm, whose transforms raise what rounding leaves."""


def check(case: ConvCase, tiling: tuple[int, int, int] = (2, 8, 2), budget: int = 48) -> None:
    """Compare the sparse kernel with its meaning: see `compare`."""
    weight, epilogue, g, *_ = made(case)
    compare(case, ConvWordsSparse(weight, Tiling(g, *tiling, budget), epilogue))


def check_dense(case: ConvCase, tiling: tuple[int, int, int] = (2, 8, 2), budget: int = 24, run: int = 3) -> None:
    """Compare the dense kernel with its meaning: see `compare`."""
    weight, epilogue, g, *_ = made(case)
    compare(case, ConvWordsDense(weight, DenseWordTiling(g, *tiling, budget, run=run), epilogue))


def check_winograd(case: ConvCase, tile: tuple[int, int] = (4, 2), pool: bool = False) -> None:
    """Compare Winograd's algorithm with the meaning of the layer: see `compare_roughly`."""
    weight, epilogue, g, *_ = made(case)
    epilogue = replace(epilogue, residual=False, pool=pool)
    compare_roughly(case, ConvWordsWinograd(weight, WinogradTiling(g, *tile, LANES), epilogue), epilogue)


def check_strips(case: ConvCase, tile: tuple[int, int] = (3, 2), pool: bool = False) -> None:
    """Compare Winograd's algorithm along columns with the meaning of the layer: see `compare_roughly`."""
    weight, epilogue, g, *_ = made(case)
    epilogue = replace(epilogue, residual=False, pool=pool, overlap=pool)
    compare_roughly(case, ConvWordsStrips(weight, StripTiling(g, *tile, pool), epilogue), epilogue)


def compare_roughly(case: ConvCase, packed: ConvWordsWinograd | ConvWordsStrips, epilogue: Epilogue) -> None:
    """Compare a layer with its meaning, whole and in parts."""
    weight, _, _, x, _ = made(case)
    size = tuple((side - epilogue.overlap) // (1 + epilogue.pool) for side in case.out_size)
    out = cases.run_layer(packed, x, (case.batch, case.channels[1], *size), None)
    products = cases.conv_oracle(case, weight.dense(), x)
    wanted = cases.oracle_epilogue(products, epilogue, None)
    if epilogue.pool:
        views = sliding_window_view(wanted, (2 + epilogue.overlap,) * 2, axis=(2, 3))
        wanted = views[:, :, ::2, ::2].max(axis=(4, 5))
    linear = cases.oracle_epilogue(products, Epilogue(epilogue.scale, epilogue.shift), None)
    most = np.abs(linear).reshape(case.batch, -1).max(axis=1).reshape(-1, 1, 1, 1)
    assert (np.abs(out - wanted) <= POINTS_ERROR * most).all()


def compare(case: ConvCase, packed: ConvWordsSparse | ConvWordsDense) -> None:
    """Compare a layer with its meaning, nearly bit by bit, and with that of the case; each sample, each share."""
    weight, epilogue, _, x, residual = made(case)
    out = cases.run_layer(packed, x, (case.batch, case.channels[1], *case.out_size), residual)
    products = cases.conv_oracle(case, weight.dense(), x)
    linear = cases.oracle_epilogue(products, Epilogue(epilogue.scale, epilogue.shift), None)
    most = np.abs(linear).reshape(case.batch, -1).max(axis=1).reshape(-1, 1, 1, 1)
    assert (np.abs(out - cases.oracle_epilogue(products, epilogue, residual)) <= ERROR * most).all()
    sums = np.stack([meaning(case, weight.dense(), packed.tiling, image) for image in x])
    # The meaning rounds products with scales once more or less than the kernel.
    assert (np.abs(out - cases.oracle_epilogue(sums, epilogue, residual)) <= 2e-6 * most).all()


def made(case: ConvCase) -> tuple[object, Epilogue, ConvGeometry, F32, F32 | None]:
    """A layer of random numbers, inputs for it, and what is added."""
    rng = np.random.default_rng(case.seed)
    weight, epilogue, g = cases._layer(case, rng, case.batch)
    x = rng.standard_normal((case.batch, case.channels[0], *case.size)).astype(np.float32)
    x *= np.logspace(0, 3, case.batch, dtype=np.float32).reshape(-1, 1, 1, 1)  # each sample has a grid of its own
    out = case.batch, case.channels[1], *case.out_size
    return weight, epilogue, g, x, rng.standard_normal(out).astype(np.float32) if epilogue.residual else None


def meaning(case: ConvCase, weight: F32, tiling: Tiling, image: F32) -> NDArray[np.float64]:
    """Sums of products of integers, block by block: exact in 32 bits, or this fails; then those of float32."""
    grid = make_grid(weight, tiling.geometry, tiling.blocks)
    greatest = np.float32(np.abs(image).max(initial=0))
    words = np.rint(image * (np.float32(grid.levels) / greatest))
    assert np.abs(words).max(initial=0) <= grid.levels <= 32767
    assert np.abs(grid.weights).max(initial=0) <= 32767
    total = np.zeros((case.channels[1], prod(case.out_size)))
    for block in tiling.blocks:
        part = np.zeros(grid.weights.shape)
        inputs, outputs = part.shape[1], part.shape[0] // case.groups
        for unit in range(block[Block.FIRST_UNIT], block[Block.LAST_UNIT]):
            channel, tap = divmod(unit, case.kernel[1])
            group, channel = divmod(channel, inputs)
            rows = slice(group * outputs, (group + 1) * outputs)
            part[rows, channel, :, tap] = grid.weights[rows, channel, :, tap]
        assert grid.levels * np.abs(part).reshape(len(part), -1).sum(axis=1).max() < 1 << 31
        total += cases.conv_oracle(case, part, words[None])[0].reshape(total.shape).astype(np.float32)
    step = grid.scales.reshape(-1, 1) * (np.float64(greatest) / grid.levels)
    return (total * step).reshape(case.channels[1], *case.out_size)
