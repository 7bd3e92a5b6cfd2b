"""Winograd's transforms of weights, inputs and outputs: their meaning, in NumPy."""

from __future__ import annotations

import numpy as np

from .. import winograd_points as winograd
from .memory import load, store
from .types import F32, LANES, Tag

__all__ = [
    "winograd_inputs",
    "winograd_line",
    "winograd_line_outputs",
    "winograd_outputs",
    "winograd_run_outputs",
    "winograd_weights",
    "winograd_window",
]


def _congruent(matrix: F32, square: F32) -> F32:
    result: F32 = np.einsum("ia,abl,jb->ijl", matrix, square, matrix, dtype=np.float32)
    return result


def winograd_inputs(tag: Tag, source: F32, at: int, row: int, column: int, target: F32, to: int, step: int) -> None:
    """Winograd's transform of a square of n x n inputs, n the length of `tag`: ``B^T inputs B``.

    Vector (i, j) lies at ``source[at + i * row + j * column]`` and goes to ``target[to + (i * n + j) * step]``.
    """
    n = len(tag)
    matrix = winograd.input_matrix(n).astype(np.float32)
    square = np.array([[load((0,), source, at + i * row + j * column)[0] for j in range(n)] for i in range(n)])
    for k, vector in enumerate(_congruent(matrix, square).reshape(n * n, 1, LANES)):
        store(target, to + k * step, vector)


def winograd_window(
    tag: Tag, source: F32, at: int, row: int, column: int, top: int, bottom: int, left: int, right: int,
    target: F32, nothing: int, to: int, step: int,
) -> None:  # fmt: skip
    """As `winograd_inputs`, but only vectors of rows ``top <= i < bottom`` and columns ``left <= j < right`` are read.

    In place of other rows those at ``target[nothing + j * column]`` are read; other columns are zero.
    """
    n = len(tag)
    square = np.zeros((n, n, LANES), np.float32)
    for i in range(n):
        array, first = (source, at + i * row) if top <= i < bottom else (target, nothing)
        for j in range(left, right):
            square[i, j] = load((0,), array, first + j * column)[0]
    for k, vector in enumerate(
        _congruent(winograd.input_matrix(n).astype(np.float32), square).reshape(n * n, 1, LANES)
    ):
        store(target, to + k * step, vector)


def winograd_weights(tag: Tag, points: Tag, source: F32, at: int, row: int, target: F32, to: int, step: int) -> None:
    """Winograd's transform of r x r taps, ``G kernel G^T``; r and n the lengths of `tag` and `points`.

    The vector of tap (i, j) lies at ``source[at + (i * r + j) * row]``, that of point (i, j) goes to
    ``target[to + (i * n + j) * step]``.
    """
    r, n = len(tag), len(points)
    matrix = winograd.kernel_matrix(r, n).astype(np.float32)
    taps = np.array([load((0,), source, at + k * row)[0] for k in range(r * r)]).reshape(r, r, LANES)
    for k, vector in enumerate(_congruent(matrix, taps).reshape(n * n, 1, LANES)):
        store(target, to + k * step, vector)


def winograd_outputs(tag: Tag, points: Tag, source: F32, at: int, step: int) -> F32:
    """Winograd's transform of n x n sums to m x m outputs: ``A^T sums A``; m, n the lengths of `tag` and `points`.

    Vector (i, j) lies at ``source[at + (i * n + j) * step]``; outputs come row by row.
    """
    m, n = len(tag), len(points)
    matrix = winograd.output_matrix(m, n).astype(np.float32)
    square = np.array([load((0,), source, at + k * step)[0] for k in range(n * n)]).reshape(n, n, LANES)
    return _congruent(matrix, square).reshape(m * m, LANES)


def winograd_line(tag: Tag, source: F32, at: int, row: int, target: F32, to: int, step: int) -> None:
    """Winograd's transform of n inputs along one axis, n the length of `tag`: ``B^T inputs``.

    Vector i lies at ``source[at + i * row]``, and that of point i goes to ``target[to + i * step]``.
    """
    n = len(tag)
    line = np.array([load((0,), source, at + i * row)[0] for i in range(n)])
    matrix = winograd.input_matrix(n).astype(np.float32)
    for i, vector in enumerate(np.einsum("ij,jl->il", matrix, line, dtype=np.float32)):
        store(target, to + i * step, vector)


def winograd_line_outputs(tag: Tag, points: Tag, source: F32, at: int, step: int) -> F32:
    """Winograd's transform of n sums to m outputs along one axis: ``A^T sums``; m, n the lengths of `tag`, `points`.

    Vector i lies at ``source[at + i * step]``.
    """
    n = len(points)
    line = np.array([load((0,), source, at + i * step)[0] for i in range(n)])
    found: F32 = np.einsum("ij,jl->il", winograd.output_matrix(len(tag), n).astype(np.float32), line, dtype=np.float32)
    return found


def winograd_run_outputs(tag: Tag, points: Tag, sums: F32) -> F32:
    """`winograd_line_outputs` of some output channels: `sums` come point after point, outputs channel after channel."""
    m, n = len(tag), len(points)
    matrix = winograd.output_matrix(m, n).astype(np.float32)
    found: F32 = np.einsum("ij,jrl->ril", matrix, sums.reshape(n, -1, LANES), dtype=np.float32).reshape(-1, LANES)
    return found
