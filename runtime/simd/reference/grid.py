"""Grids of pixels, a vector each: their meaning, in NumPy."""

from __future__ import annotations

import numpy as np

from .arithmetic import maximum
from .memory import load, store
from .types import F32, LANES, Tag

__all__ = [
    "fma_grid",
    "fma_shifted",
    "load_grid",
    "max_pool_grid",
    "store_grid",
]


def load_grid(tag: Tag, rows: Tag, array: F32, index: int, pitch: int) -> F32:
    """As many vectors as `tag` is long: ``len(rows)`` rows of consecutive ones, `pitch` elements apart."""
    width = tag[: len(tag) // len(rows)]
    return np.concatenate([load(width, array, index + row * pitch) for row in range(len(rows))])


def store_grid(rows: Tag, array: F32, index: int, pitch: int, value: F32) -> None:
    """Write vectors as ``len(rows)`` rows of consecutive ones, `pitch` elements apart."""
    for row, vectors in enumerate(value.reshape(len(rows), -1, LANES)):
        store(array, index + row * pitch, vectors)


def fma_grid(acc: F32, rows: Tag, factor: F32, array: F32, index: int, pitch: int) -> F32:
    """``acc + factor * load_grid(array, index, pitch)``, rounded once; a `factor` of one vector."""
    grid = load_grid((0,) * len(acc), rows, array, index, pitch).astype(np.float64)
    result: F32 = (acc + np.asarray(factor, np.float64) * grid).astype(np.float32)
    return result


def fma_shifted(
    acc: F32, rows: Tag, up: Tag, down: Tag, left: Tag, right: Tag, factor: F32, array: F32, index: int
) -> F32:
    """`acc` and `factor` times an image, ``len(rows)`` rows of consecutive vectors at `index`, as large as `acc`.

    Pixel (row, column) of `acc` meets pixel ``(row + len(down) - len(up), column + len(right) - len(left))`` of the
    image; where there is none, nothing is added.
    """
    image, sums = (load((0,) * len(acc), array, index), acc.copy())
    image, sums = (pixels.reshape(len(rows), -1, LANES) for pixels in (image, sums))
    height, width = sums.shape[:2]
    inside = sums[len(up) : height - len(down), len(left) : width - len(right)]
    met = image[len(down) : height - len(up), len(right) : width - len(left)].astype(np.float64)
    inside[...] = inside + np.asarray(factor, np.float64) * met
    return sums.reshape(acc.shape)


def max_pool_grid(rows: Tag, value: F32) -> F32:
    """The greatest of each 2 x 2 vectors of a grid of ``len(rows)`` rows, less where an odd one ends; NaN wins."""
    grid = value.reshape(len(rows), -1, LANES)
    grid = np.pad(grid, ((0, len(rows) % 2), (0, grid.shape[1] % 2), (0, 0)), mode="edge")
    across = maximum(grid[:, 1::2], grid[:, ::2])
    return maximum(across[1::2], across[::2]).reshape(-1, LANES)
