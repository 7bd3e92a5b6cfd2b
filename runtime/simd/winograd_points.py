"""Winograd's fast convolution F(m x m, r x r): matrices by the construction of Toom and Cook.

A tile of m x m outputs under an r x r kernel takes ``n * n`` multiplications, ``n = m + r - 1``, in place of
``m * m * r * r``: with A, B, G below,

    outputs = A^T [(G kernel G^T) * (B^T inputs B)] A        (Lavin and Gray, arXiv 1509.09308, equation 8)

where `*` is elementwise and summed over channels. B depends on n alone.

The points decide the error. These are symmetric, so that half of each product serves two rows; exact in float32 with
all their powers and products; and, of such points with small numerators, about the best found by search: the greatest
error of a layer of 64 channels is 1.2e-6 of the greatest output for n = 6 and 2.4e-6 for n = 7, where the usual 0, 1,
-1, 2, -2 and infinity give 4e-6.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

POINTS = {4: (0.0, 1.0, -1.0), 6: (0.0, 0.625, -0.625, 1.5, -1.5), 7: (0.375, -0.375, 0.875, -0.875, 1.75, -1.75)}
"""Finite points by n; infinity is the last one of each."""
OUTPUTS = {3: (4, 2), 4: (3,), 5: (3,)}
"""Outputs m of a tile, along one axis, by size r of the kernel.

The first take the fewest multiplications. Small ones fill the lanes where an image has few tiles, and take fewer
transformed weights."""


@cache
def output_matrix(m: int, n: int) -> F64:
    """A^T, shape (m, n)."""
    points = np.array(POINTS[n])
    finite = points ** np.arange(m)[:, None]
    return np.hstack([finite, np.eye(m)[:, -1:]])


@cache
def kernel_matrix(r: int, n: int) -> F64:
    """G, shape (n, r)."""
    points = np.array(POINTS[n])
    distances = points[:, None] - points
    np.fill_diagonal(distances, 1)
    finite = points[:, None] ** np.arange(r) / distances.prod(axis=1, keepdims=True)
    return np.vstack([finite, np.eye(r)[-1:]])


@cache
def input_matrix(n: int) -> F64:
    """B^T, shape (n, n): coefficients, lowest first, of the product of (x - p) over all finite points but the row's."""
    points = POINTS[n]
    rows = [np.poly(points[:i] + points[i + 1 :])[::-1] for i in range(n)]
    return np.array([np.pad(row, (0, n - len(row))) for row in rows])
