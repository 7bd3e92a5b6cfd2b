"""The operations of `reference.arithmetic`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .types import (
    I32,
    LANES,
    build_fma,
    build_greater,
    build_load,
    build_pack,
    build_splat,
    elementwise,
    intrinsic,
)


@intrinsic
def add(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.arithmetic.add`."""
    return a(a, b), elementwise(lambda builder, x, y: builder.fadd(x, y), 0)


@intrinsic
def fma(typingctx: Any, acc: Any, factor: Any, array: Any, index: Any) -> Any:
    """See `reference.arithmetic.fma`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        by = builder.extract_value(args[1], 0)
        sums = (builder.extract_value(args[0], i) for i in range(acc.count))
        return build_pack(
            builder,
            [
                build_fma(builder, by, build_load(context, builder, array, args[2], args[3], LANES * i), s)
                for i, s in enumerate(sums)
            ],
        )

    return acc(acc, factor, array, types.int64), codegen


@intrinsic
def fma_vectors(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """See `reference.arithmetic.fma_vectors`."""
    return a(a, b, c), elementwise(build_fma, 0)


@intrinsic
def fma_rows(
    typingctx: Any, acc: Any, rows: Any, codebook: Any, symbols: Any, first: Any, array: Any, index: Any
) -> Any:
    """See `reference.arithmetic.fma_rows`."""
    width = acc.count // len(rows)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, _, codebook_value, symbols_value, first_value, array_value, index_value = args
        weight_data = context.make_array(symbols)(context, builder, symbols_value).data
        book_data = context.make_array(codebook)(context, builder, codebook_value).data

        def weight_at(row: int) -> Any:
            at = builder.add(first_value, ir.IntType(64)(row))
            by = builder.load(builder.gep(weight_data, [at]))
            if symbols.dtype != types.float32:
                by = builder.load(builder.gep(book_data, [builder.zext(by, ir.IntType(64))]))
            return build_splat(builder, by)

        def column_at(i: int) -> Any:
            return build_load(context, builder, array, array_value, index_value, LANES * i)

        # The fewer of weights and columns are held in registers, and of the others one at a time.
        sums = [builder.extract_value(acc_value, i) for i in range(acc.count)]
        if width < len(rows):
            columns = [column_at(i) for i in range(width)]
            for row in range(len(rows)):
                by = weight_at(row)
                for i, column in enumerate(columns):
                    sums[row * width + i] = build_fma(builder, by, column, sums[row * width + i])
        else:
            weights = [weight_at(row) for row in range(len(rows))]
            for i in range(width):
                column = column_at(i)
                for row, by in enumerate(weights):
                    sums[row * width + i] = build_fma(builder, by, column, sums[row * width + i])
        return build_pack(builder, sums)

    return acc(acc, rows, codebook, symbols, types.int64, array, types.int64), codegen


@intrinsic
def fma_dots(typingctx: Any, acc: Any, rows: Any, a: Any, i: Any, a_step: Any, x: Any, j: Any, x_step: Any) -> Any:
    """See `reference.arithmetic.fma_dots`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, _, a_value, i_value, a_step_value, x_value, j_value, x_step_value = args

        def run(array: Any, value: Any, start: Any, step: Any, count: int) -> list[Any]:
            at = [builder.add(start, builder.mul(step, ir.IntType(64)(n))) for n in range(count)]
            return [build_load(context, builder, array, value, index) for index in at]

        columns = run(a, a_value, i_value, a_step_value, len(rows))
        samples = run(x, x_value, j_value, x_step_value, acc.count // len(rows))
        pairs = [(column, sample) for sample in samples for column in columns]
        return build_pack(
            builder, [build_fma(builder, c, s, builder.extract_value(acc_value, n)) for n, (c, s) in enumerate(pairs)]
        )

    i64 = types.int64
    return acc(acc, rows, a, i64, i64, x, i64, i64), codegen


@intrinsic
def weight(typingctx: Any, codebook: Any, symbols: Any, index: Any) -> Any:
    """See `reference.arithmetic.weight`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.load(builder.gep(context.make_array(symbols)(context, builder, args[1]).data, [args[2]]))
        if symbols.dtype == types.float32:
            return found
        symbol = builder.zext(found, ir.IntType(64))
        return builder.load(builder.gep(context.make_array(codebook)(context, builder, args[0]).data, [symbol]))

    return types.float32(codebook, symbols, types.int64), codegen


@intrinsic
def scale_shift(typingctx: Any, value: Any, scale: Any, shift: Any) -> Any:
    """See `reference.arithmetic.scale_shift`."""
    return value(value, types.float32, types.float32), elementwise(build_fma, 2)


@intrinsic
def scale_shift_rows(typingctx: Any, value: Any, rows: Any, array: Any, scale: Any, shift: Any) -> Any:
    """See `reference.arithmetic.scale_shift_rows`."""
    width = value.count // len(rows)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[2]).data

        def number(first: Any, row: int) -> Any:
            return build_splat(builder, builder.load(builder.gep(data, [builder.add(first, ir.IntType(64)(row))])))

        by = [[number(first, row) for first in args[3:]] for row in range(len(rows))]
        vectors = (builder.extract_value(args[0], i) for i in range(value.count))
        return build_pack(builder, [build_fma(builder, v, *by[i // width]) for i, v in enumerate(vectors)])

    return value(value, rows, array, types.int64, types.int64), codegen


def _clamp(builder: Any, x: Any, low: Any, high: Any) -> Any:
    # A comparison with NaN is false, so NaN stays.
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, x)


@intrinsic
def clamp(typingctx: Any, value: Any, low: Any, high: Any) -> Any:
    """See `reference.arithmetic.clamp`."""
    return value(value, types.float32, types.float32), elementwise(_clamp, 2)


@intrinsic
def maximum(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.arithmetic.maximum`."""
    return a(a, b), elementwise(build_greater, 0)


@intrinsic
def reduce_sum(typingctx: Any, value: Any) -> Any:
    """See `reference.arithmetic.reduce_sum`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(value.count)]
        while len(vectors) > 1:
            half = (len(vectors) + 1) // 2
            pairs = [builder.fadd(a, b) for a, b in zip(vectors, vectors[half:], strict=False)]
            vectors = pairs + vectors[len(pairs) : half]
        lanes, width = vectors[0], LANES
        while width > 1:
            width //= 2
            undefined = ir.Constant(lanes.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(
                    lanes, undefined, ir.Constant(ir.VectorType(I32, width), list(range(start, start + width)))
                )
                for start in (0, width)
            )
            lanes = builder.fadd(low, high)
        return builder.extract_element(lanes, I32(0))

    return types.float32(value), codegen
