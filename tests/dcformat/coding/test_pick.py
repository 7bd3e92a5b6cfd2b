"""Non-zero bytes of a line and their places, against NumPy."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dcz.dcformat.coding import pick
from dcz.dcformat.coding.pick import PICKED, PICKS
from dcz.dcformat.jit import kernel


@kernel
def pick_all(line: NDArray[np.uint8], indices: NDArray[np.int64], symbols: NDArray[np.uint8]) -> int:
    found = np.uint64(0)
    for at in range(np.uint64(0), np.uint64(len(line)), np.uint64(PICKED)):
        found += np.uint64(pick.pick(line, at, indices, symbols, found))
    return np.int64(found)


@pytest.mark.skipif(not PICKS, reason="used on processors with the instruction alone")
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
@pytest.mark.parametrize("density", [0, 0.1, 0.8, 1])
def test_kernel_picks_what_is_not_zero(dtype: type, density: float) -> None:
    rng = np.random.default_rng(1)
    line = (rng.integers(1, 256, 5 * PICKED) * (rng.random(5 * PICKED) < density)).astype(np.uint8)
    (places,) = np.nonzero(line)
    indices, symbols = np.full(len(line) + PICKED, 9, dtype), np.full(len(line) + PICKED, 9, np.uint8)
    picked = line.copy()
    assert pick_all(picked, indices, symbols) == len(places)
    assert not picked.any()
    assert np.array_equal(indices[: len(places)], places)
    assert np.array_equal(symbols[: len(places)], line[places] - 1)
