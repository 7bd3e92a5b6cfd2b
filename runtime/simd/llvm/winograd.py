"""The operations of `reference.winograd`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from .. import winograd_points as winograd
from .types import (
    F32,
    I32,
    I64,
    LANES,
    VECTOR,
    Vectors,
    build_address,
    build_call,
    build_fma,
    build_pack,
    build_splat,
    intrinsic,
)

Terms = list[tuple[float, Any]]


def _build_sum(builder: Any, terms: Terms) -> Any:
    """``sum(factor * vector)``; a factor of one comes first, as it needs no multiplication; None if all are zero."""
    total = None
    for factor, vector in sorted((t for t in terms if t[0] != 0), key=lambda t: t[0] != 1):
        if total is None:
            by = ir.Constant(VECTOR, [F32(factor)] * LANES)
            total = vector if factor == 1 else builder.fmul(by, vector)
        elif abs(factor) == 1:
            total = builder.fadd(total, vector) if factor == 1 else builder.fsub(total, vector)
        else:
            total = build_fma(builder, ir.Constant(VECTOR, [F32(factor)] * LANES), vector, total)
    return total


def _build_product(builder: Any, matrix: winograd.F64, vectors: list[Any]) -> list[Any]:
    """Constant matrix times vectors, what rows or columns have in common but for signs computed once."""
    matrix, vectors = matrix.copy(), list(vectors)
    for a in range(len(vectors) - 1):
        if np.array_equal(np.abs(matrix[:, a]), np.abs(matrix[:, a + 1])) and np.any(matrix[:, a] != 0):
            equal = matrix[:, a] == matrix[:, a + 1]
            both, left, right = matrix[:, a].copy(), vectors[a], vectors[a + 1]
            vectors[a], vectors[a + 1] = builder.fadd(left, right), builder.fsub(left, right)
            matrix[:, a], matrix[:, a + 1] = np.where(equal, both, 0), np.where(equal, 0, both)
    results: list[Any] = []
    for row, factors in enumerate(matrix):
        if row and np.array_equal(np.abs(factors), np.abs(matrix[row - 1])) and len(results) == row:
            above = matrix[row - 1]
            same, other = (
                _build_sum(builder, list(zip(np.where(part, above, 0).tolist(), vectors, strict=True)))
                for part in (factors == above, factors != above)
            )
            results[-1:] = [builder.fadd(same, other), builder.fsub(same, other)]
        else:
            results.append(_build_sum(builder, list(zip(factors.tolist(), vectors, strict=True))))
    return results


def _build_square(builder: Any, matrix: winograd.F64, columns: list[list[Any]]) -> list[list[Any]]:
    """``matrix @ square @ matrix.T``, row by row, of a square of vectors given by its columns."""
    half = [_build_product(builder, matrix, column) for column in columns]
    return [_build_product(builder, matrix, list(row)) for row in zip(*half, strict=True)]


def _build_at(context: Any, builder: Any, array: Any, value: Any, first: Any, *steps: tuple[Any, int]) -> Any:
    """Pointer to the vector that lies `count` times `step` behind the first, summed over `steps`."""
    for step, count in steps:
        first = builder.add(first, builder.mul(step, ir.IntType(64)(count)))
    return build_address(context, builder, array, value, first, VECTOR)


def _build_inputs(context: Any, builder: Any, n: int, columns: list[list[Any]], target: Any, *places: Any) -> None:
    """Transform a square of inputs given by its columns; `places` are the target's value, an index, and a step."""
    value, to, step = places
    half = [_build_product(builder, winograd.input_matrix(n), column) for column in columns]
    for i in range(n):
        for j, vector in enumerate(_build_product(builder, winograd.input_matrix(n), [column[i] for column in half])):
            builder.store(vector, _build_at(context, builder, target, value, to, (step, i * n + j)), align=4)


@intrinsic
def winograd_inputs(
    typingctx: Any, tag: Any, source: Any, at: Any, row: Any, column: Any, target: Any, to: Any, step: Any
) -> Any:
    """See `reference.winograd.winograd_inputs`."""
    n = len(tag)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, value, first, down, across, *places = args
        columns = [
            [
                builder.load(_build_at(context, builder, source, value, first, (down, i), (across, j)), align=4)
                for i in range(n)
            ]
            for j in range(n)
        ]
        _build_inputs(context, builder, n, columns, target, *places)
        return context.get_dummy_value()

    return types.void(tag, source, I64, I64, I64, target, I64, I64), codegen


@intrinsic
def winograd_window(
    typingctx: Any, tag: Any, source: Any, at: Any, row: Any, column: Any, top: Any, bottom: Any, left: Any, right: Any,
    target: Any, nothing: Any, to: Any, step: Any,
) -> Any:  # fmt: skip
    """See `reference.winograd.winograd_window`."""
    n = len(tag)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, value, first, down, across, top, bottom, left, right, target_value, nothing, *places = args

        def inside(low: Any, k: int, high: Any) -> Any:
            number = ir.IntType(64)(k)
            return builder.and_(builder.icmp_signed("<=", low, number), builder.icmp_signed("<", number, high))

        zeros = build_address(context, builder, target, target_value, nothing, VECTOR)
        rows = [
            builder.select(inside(top, i, bottom), _build_at(context, builder, source, value, first, (down, i)), zeros)
            for i in range(n)
        ]
        masks = [build_splat(builder, inside(left, j, right)) for j in range(n)]

        def load(pointer: Any, j: int) -> Any:
            floats = builder.bitcast(pointer, F32.as_pointer())
            place = builder.gep(floats, [builder.mul(across, ir.IntType(64)(j))])
            arguments = [builder.bitcast(place, VECTOR.as_pointer()), I32(4), masks[j], ir.Constant(VECTOR, None)]
            return build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments)

        columns = [[load(pointer, j) for pointer in rows] for j in range(n)]
        _build_inputs(context, builder, n, columns, target, target_value, *places)
        return context.get_dummy_value()

    return types.void(tag, source, *(I64,) * 7, target, I64, I64, I64), codegen


@intrinsic
def winograd_weights(
    typingctx: Any, tag: Any, points: Any, source: Any, at: Any, row: Any, target: Any, to: Any, step: Any
) -> Any:
    """See `reference.winograd.winograd_weights`."""
    r, n = len(tag), len(points)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, from_value, first, pitch, to_value, place, hop = args
        columns = [
            [builder.load(_build_at(context, builder, source, from_value, first, (pitch, i * r + j)), align=4)
             for i in range(r)]
            for j in range(r)
        ]  # fmt: skip
        rows = _build_square(builder, winograd.kernel_matrix(r, n), columns)
        for k, vector in enumerate(vector for row in rows for vector in row):
            builder.store(vector, _build_at(context, builder, target, to_value, place, (hop, k)), align=4)
        return context.get_dummy_value()

    return types.void(tag, points, source, I64, I64, target, I64, I64), codegen


@intrinsic
def winograd_outputs(typingctx: Any, tag: Any, points: Any, source: Any, at: Any, step: Any) -> Any:
    """See `reference.winograd.winograd_outputs`."""
    m, n = len(tag), len(points)
    result = Vectors(m * m)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, value, first, hop = args
        columns = [
            [
                builder.load(_build_at(context, builder, source, value, first, (hop, i * n + j)), align=4)
                for i in range(n)
            ]
            for j in range(n)
        ]
        rows = _build_square(builder, winograd.output_matrix(m, n), columns)
        return build_pack(builder, [vector for row in rows for vector in row])

    return result(tag, points, source, I64, I64), codegen


@intrinsic
def winograd_line(typingctx: Any, tag: Any, source: Any, at: Any, row: Any, target: Any, to: Any, step: Any) -> Any:
    """See `reference.winograd.winograd_line`."""
    n = len(tag)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, value, first, down, to_value, place, hop = args
        line = _build_line(context, builder, source, value, first, down, n)
        for i, vector in enumerate(_build_product(builder, winograd.input_matrix(n), line)):
            builder.store(vector, _build_at(context, builder, target, to_value, place, (hop, i)), align=4)
        return context.get_dummy_value()

    return types.void(tag, source, I64, I64, target, I64, I64), codegen


@intrinsic
def winograd_line_outputs(typingctx: Any, tag: Any, points: Any, source: Any, at: Any, step: Any) -> Any:
    """See `reference.winograd.winograd_line_outputs`."""
    m, n = len(tag), len(points)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, value, first, hop = args
        line = _build_line(context, builder, source, value, first, hop, n)
        return build_pack(builder, _build_product(builder, winograd.output_matrix(m, n), line))

    return Vectors(m)(tag, points, source, I64, I64), codegen


@intrinsic
def winograd_run_outputs(typingctx: Any, tag: Any, points: Any, sums: Any) -> Any:
    """See `reference.winograd.winograd_run_outputs`."""
    m, n = len(tag), len(points)
    run = sums.count // n

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = []
        for row in range(run):
            line = [builder.extract_value(args[2], point * run + row) for point in range(n)]
            found += _build_product(builder, winograd.output_matrix(m, n), line)
        return build_pack(builder, found)

    return Vectors(run * m)(tag, points, sums), codegen


def _build_line(context: Any, builder: Any, array: Any, value: Any, first: Any, step: Any, n: int) -> list[Any]:
    """Vectors that lie `step` elements apart."""
    places = (_build_at(context, builder, array, value, first, (step, i)) for i in range(n))
    return [builder.load(place, align=4) for place in places]
