"""The vectors of `simd`, as Numba intrinsics that emit generic LLVM vector instructions.

The functions are documented in `reference`, which says the same in NumPy.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .types import (
    I32,
    LANE_IDS,
    LANES,
    MASK,
    VECTOR,
    Vectors,
    build_address,
    build_call,
    build_fma,
    build_load,
    build_mask,
    build_pack,
    build_row_masks,
    build_splat,
    elementwise,
    intrinsic,
)


@intrinsic
def zeros(typingctx: Any, tag: Any) -> Any:
    """See `reference.zeros`."""
    result = Vectors(len(tag))
    return result(tag), lambda context, builder, sig, args: context.get_value_type(result)(None)


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """See `reference.get`."""
    result = types.float32 if array.dtype == types.float32 else types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        return context.cast(builder, builder.load(builder.gep(data, [args[1]])), array.dtype, result)

    return result(array, types.int64), codegen


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """See `reference.put`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), codegen


@intrinsic
def weight(typingctx: Any, codebook: Any, symbols: Any, index: Any) -> Any:
    """See `reference.weight`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.load(builder.gep(context.make_array(symbols)(context, builder, args[1]).data, [args[2]]))
        if symbols.dtype == types.float32:
            return found
        symbol = builder.zext(found, ir.IntType(64))
        return builder.load(builder.gep(context.make_array(codebook)(context, builder, args[0]).data, [symbol]))

    return types.float32(codebook, symbols, types.int64), codegen


@intrinsic
def load(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.load`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [build_load(context, builder, array, args[1], args[2], LANES * i) for i in range(result.count)]
        return build_pack(builder, vectors)

    return result(tag, array, types.int64), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """See `reference.store`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(value.count):
            target = build_address(context, builder, array, args[0], args[1], VECTOR, LANES * i)
            builder.store(builder.extract_value(args[2], i), target, align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), codegen


@intrinsic
def prefetch(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.prefetch`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(len(tag)):
            line = build_address(context, builder, array, args[1], args[2], VECTOR, LANES * i)
            build_call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, I32(0), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(tag, array, types.int64), codegen


@intrinsic
def prefetch_rows(typingctx: Any, tag: Any, array: Any, index: Any, step: Any) -> Any:
    """See `reference.prefetch_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(len(tag)):
            at = builder.add(args[2], builder.mul(args[3], ir.IntType(64)(i)))
            line = build_address(context, builder, array, args[1], at, VECTOR)
            build_call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, I32(1), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(tag, array, types.int64, types.int64), codegen


@intrinsic
def fma(typingctx: Any, acc: Any, factor: Any, array: Any, index: Any) -> Any:
    """See `reference.fma`."""

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
def fma_rows(
    typingctx: Any, acc: Any, rows: Any, codebook: Any, symbols: Any, first: Any, array: Any, index: Any
) -> Any:
    """See `reference.fma_rows`."""
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
    """See `reference.fma_dots`."""

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
def load_masked(typingctx: Any, array: Any, index: Any, low: Any, high: Any) -> Any:
    """See `reference.load_masked`."""
    result = Vectors(1)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, array, args[0], args[1], VECTOR)
        mask = build_mask(builder, args[2], args[3])
        arguments = [source, I32(4), mask, ir.Constant(VECTOR, None)]
        return build_pack(builder, [build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments)])

    return result(array, types.int64, types.int64, types.int64), codegen


@intrinsic
def load_lanes(typingctx: Any, array: Any, index: Any, bits: Any, other: Any) -> Any:
    """See `reference.load_lanes`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, array, args[0], args[1], VECTOR)
        mask = builder.bitcast(builder.trunc(args[2], ir.IntType(LANES)), MASK)
        arguments = [source, I32(4), mask, builder.extract_value(args[3], 0)]
        return build_pack(builder, [build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments)])

    return other(array, types.int64, types.int64, other), codegen


@intrinsic
def store_masked(typingctx: Any, array: Any, index: Any, low: Any, high: Any, value: Any) -> Any:
    """See `reference.store_masked`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = build_address(context, builder, array, args[0], args[1], VECTOR)
        arguments = [builder.extract_value(args[4], 0), target, I32(4), build_mask(builder, args[2], args[3])]
        build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, types.int64, value), codegen


@intrinsic
def fma_vectors(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """See `reference.fma_vectors`."""
    return a(a, b, c), elementwise(build_fma, 0)


@intrinsic
def load_rows(typingctx: Any, tag: Any, array: Any, index: Any, step: Any, low: Any, high: Any, end: Any) -> Any:
    """See `reference.load_rows`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, source, first, stride, low, high, last = args
        end_value = None if end == types.none else last
        vectors = []
        for offset, mask in build_row_masks(builder, result.count, low, high, end_value, stride):
            address = build_address(context, builder, array, source, builder.add(first, offset), VECTOR)
            arguments = [address, I32(4), mask, ir.Constant(VECTOR, None)]
            vectors.append(build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments))
        return build_pack(builder, vectors)

    i64 = types.int64
    return result(tag, array, i64, i64, i64, i64, end), codegen


@intrinsic
def store_rows(typingctx: Any, array: Any, index: Any, step: Any, low: Any, high: Any, end: Any, value: Any) -> Any:
    """See `reference.store_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target, first, stride, low, high, last, vectors = args
        end_value = None if end == types.none else last
        for row, (offset, mask) in enumerate(build_row_masks(builder, value.count, low, high, end_value, stride)):
            address = build_address(context, builder, array, target, builder.add(first, offset), VECTOR)
            arguments = [builder.extract_value(vectors, row), address, I32(4), mask]
            build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(array, i64, i64, i64, i64, end, value), codegen


def _evens(builder: Any, low: Any, high: Any) -> Any:
    return builder.shuffle_vector(low, high, ir.Constant(LANE_IDS, list(range(0, 2 * LANES, 2))))


@intrinsic
def evens(typingctx: Any, low: Any, high: Any) -> Any:
    """See `reference.evens`."""
    return low(low, high), elementwise(_evens, 0)


@intrinsic
def total(typingctx: Any, value: Any) -> Any:
    """See `reference.total`."""

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


@intrinsic
def add(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.add`."""
    return a(a, b), elementwise(lambda builder, x, y: builder.fadd(x, y), 0)


@intrinsic
def scale_shift(typingctx: Any, value: Any, scale: Any, shift: Any) -> Any:
    """See `reference.scale_shift`."""
    return value(value, types.float32, types.float32), elementwise(build_fma, 2)


@intrinsic
def maximum(typingctx: Any, value: Any, bound: Any) -> Any:
    """See `reference.maximum`."""
    # A comparison with NaN is false, so NaN stays.
    return value(value, types.float32), elementwise(
        lambda builder, x, y: builder.select(builder.fcmp_ordered("<", x, y), y, x), 1
    )


@intrinsic
def minimum(typingctx: Any, value: Any, bound: Any) -> Any:
    """See `reference.minimum`."""
    return value(value, types.float32), elementwise(
        lambda builder, x, y: builder.select(builder.fcmp_ordered(">", x, y), y, x), 1
    )
