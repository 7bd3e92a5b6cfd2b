"""Grids of words: the worst inputs do not overflow sums of 32 bits, and steps are fine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.runtime.kernels.contract import ConvGeometry
from dcz.runtime.kernels.conv.blocks import block_table
from dcz.runtime.kernels.descriptor import Block
from dcz.runtime.kernels.words.grid import LARGEST_SUM, MOST, make_grid


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 4]), st.integers(1, 40), st.booleans(), st.booleans())
def test_no_input_overflows_a_sum(seed: int, groups: int, block_units: int, spread: bool, nonnegative: bool) -> None:
    rng = np.random.default_rng(seed)
    inputs, outputs, kernel = groups * int(rng.integers(1, 9)), groups * int(rng.integers(1, 5)), (3, 2)
    g = ConvGeometry(1, inputs, 9, 9, outputs, kernel, (1, 1), (0, 0), (1, 1), groups, 7, 8, nonnegative)
    weight = rng.standard_normal((outputs, inputs // groups, *kernel)).astype(np.float32)
    weight *= rng.random(weight.shape) < rng.random()
    if spread:
        weight *= np.exp(20 * rng.standard_normal((outputs, 1, 1, 1))).astype(np.float32)
    blocks = block_table(g, kernel[1], block_units)
    grid = make_grid(weight, g, blocks)
    assert 1 <= grid.levels <= MOST
    assert np.abs(grid.weights.astype(int)).max() <= MOST
    signs = np.stack([grid.weights, -grid.weights]).astype(np.int64)
    columns = signs.clip(0).sum(axis=3).reshape(2, outputs, -1)
    for block in blocks:
        for channel in range(block[Block.FIRST_OUTPUT], block[Block.LAST_OUTPUT]):
            skipped = channel // (outputs // groups) * columns.shape[2]
            units = range(block[Block.FIRST_UNIT] - skipped, block[Block.LAST_UNIT] - skipped)
            worst = sum(columns[:, channel, unit] for unit in units if 0 <= unit < columns.shape[2])
            assert (max(worst) if nonnegative else sum(worst)) * grid.levels <= LARGEST_SUM
    assert (grid.weights * np.sign(weight) >= 0).all()
    error = (weight - grid.weights * grid.scales.reshape(-1, 1, 1, 1)).reshape(outputs, -1)
    assert (np.abs(error).max(axis=1) <= 4e-4 * np.abs(weight).reshape(outputs, -1).max(axis=1)).all()
    assert (np.abs(error.sum(axis=1)) <= 0.51 * grid.scales).all()


def test_inputs_that_are_not_negative_have_finer_grids() -> None:
    weight = np.random.default_rng(3).standard_normal((4, 64, 3, 3)).astype(np.float32)
    g = ConvGeometry(1, 64, 9, 9, 4, (3, 3), (1, 1), (0, 0), (1, 1), 1, 7, 7)
    blocks = block_table(g, 3, 192)
    plain, finer = make_grid(weight, g, blocks), make_grid(weight, replace(g, nonnegative=True), blocks)
    assert finer.levels > 1.3 * plain.levels
    assert (finer.scales < 0.8 * plain.scales).all()
