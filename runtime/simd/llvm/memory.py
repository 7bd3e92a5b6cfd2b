"""The operations of `reference.memory`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .processor import has_masks
from .types import (
    BIT,
    I32,
    LANES,
    VECTOR,
    Vectors,
    build_address,
    build_bits,
    build_call,
    build_load,
    build_mask,
    build_pack,
    build_row_masks,
    intrinsic,
)

LONG = ir.IntType(64)


@intrinsic
def zeros(typingctx: Any, tag: Any) -> Any:
    """See `reference.memory.zeros`."""
    result = Vectors(len(tag))
    return result(tag), lambda context, builder, sig, args: context.get_value_type(result)(None)


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """See `reference.memory.get`."""
    result = types.float32 if array.dtype == types.float32 else types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        return context.cast(builder, builder.load(builder.gep(data, [args[1]])), array.dtype, result)

    return result(array, types.int64), codegen


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """See `reference.memory.put`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), codegen


@intrinsic
def load(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.memory.load`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [build_load(context, builder, array, args[1], args[2], LANES * i) for i in range(result.count)]
        return build_pack(builder, vectors)

    return result(tag, array, types.int64), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """See `reference.memory.store`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(value.count):
            target = build_address(context, builder, array, args[0], args[1], VECTOR, LANES * i)
            builder.store(builder.extract_value(args[2], i), target, align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), codegen


@intrinsic
def load_masked(typingctx: Any, array: Any, index: Any, low: Any, high: Any) -> Any:
    """See `reference.memory.load_masked`."""
    result = Vectors(1)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, array, args[0], args[1], VECTOR)
        mask = build_mask(builder, args[2], args[3])
        arguments = [source, I32(4), mask, ir.Constant(VECTOR, None)]
        return build_pack(builder, [build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments)])

    return result(array, types.int64, types.int64, types.int64), codegen


@intrinsic
def load_masked_or(typingctx: Any, array: Any, index: Any, bits: Any, other: Any) -> Any:
    """See `reference.memory.load_masked_or`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, array, args[0], args[1], VECTOR)
        arguments = [source, I32(4), build_bits(builder, args[2]), builder.extract_value(args[3], 0)]
        return build_pack(builder, [build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments)])

    return other(array, types.int64, types.int64, other), codegen


@intrinsic
def store_masked(typingctx: Any, array: Any, index: Any, low: Any, high: Any, value: Any) -> Any:
    """See `reference.memory.store_masked`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = build_address(context, builder, array, args[0], args[1], VECTOR)
        arguments = [builder.extract_value(args[4], 0), target, I32(4), build_mask(builder, args[2], args[3])]
        build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, types.int64, value), codegen


@intrinsic
def load_rows(typingctx: Any, tag: Any, array: Any, index: Any, step: Any, low: Any, high: Any, end: Any) -> Any:
    """See `reference.memory.load_rows`."""
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


_PARTS = (0, LANES), (0, LANES // 2), (LANES // 2, LANES)
"""Lanes, first and behind the last, that are stored without a mask: a masked store may take 20 times as long."""


def _has_rows(builder: Any, count: int, high: Any, end: Any, step: Any) -> Any:
    """Whether no row ends before `high`."""
    if end is None:
        return BIT(1)
    return builder.icmp_signed(">=", builder.sub(end, builder.mul(step, LONG(count - 1))), high)


def _choose(builder: Any, low: Any, high: Any, whole: Any, lanes: Any, otherwise: Any) -> None:
    """Run ``lanes(first, behind)`` for bounds among `_PARTS`, if rows are whole, or else `otherwise`."""
    done = builder.append_basic_block()
    for first, behind in _PARTS:
        bounds = builder.and_(
            builder.icmp_signed("==", low, LONG(first)), builder.icmp_signed("==", high, LONG(behind))
        )
        plain, after = builder.append_basic_block(), builder.append_basic_block()
        builder.cbranch(builder.and_(bounds, whole), plain, after)
        builder.position_at_end(plain)
        lanes(first, behind)
        builder.branch(done)
        builder.position_at_end(after)
    otherwise()
    builder.branch(done)
    builder.position_at_end(done)


@intrinsic
def store_rows(typingctx: Any, array: Any, index: Any, step: Any, low: Any, high: Any, end: Any, value: Any) -> Any:
    """See `reference.memory.store_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target, first, stride, low, high, last, vectors = args
        end_value = None if end == types.none else last
        rows = [builder.extract_value(vectors, row) for row in range(value.count)]

        def masked() -> None:
            for row, (offset, mask) in zip(
                rows, build_row_masks(builder, value.count, low, high, end_value, stride), strict=True
            ):
                address = build_address(context, builder, array, target, builder.add(first, offset), VECTOR)
                build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), [row, address, I32(4), mask])

        def lanes(begin: int, stop: int) -> None:
            for number, row in enumerate(rows):
                part = builder.shuffle_vector(
                    row, row, ir.Constant(ir.VectorType(I32, stop - begin), [*range(begin, stop)])
                )
                offset = builder.add(first, builder.mul(stride, LONG(number)))
                builder.store(part, build_address(context, builder, array, target, offset, part.type, begin), align=4)

        if has_masks():
            masked()
        else:
            whole = _has_rows(builder, value.count, high, end_value, stride)
            _choose(builder, low, high, whole, lanes, masked)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(array, i64, i64, i64, i64, end, value), codegen


@intrinsic
def prefetch(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.memory.prefetch`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(len(tag)):
            line = build_address(context, builder, array, args[1], args[2], VECTOR, LANES * i)
            build_call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, I32(0), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(tag, array, types.int64), codegen


@intrinsic
def prefetch_rows(typingctx: Any, tag: Any, array: Any, index: Any, step: Any) -> Any:
    """See `reference.memory.prefetch_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(len(tag)):
            at = builder.add(args[2], builder.mul(args[3], ir.IntType(64)(i)))
            line = build_address(context, builder, array, args[1], at, VECTOR)
            build_call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, I32(1), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(tag, array, types.int64, types.int64), codegen


@intrinsic
def prefetch_l2(typingctx: Any, array: Any, index: Any) -> Any:
    """See `reference.memory.prefetch_l2`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        line = build_address(context, builder, array, args[0], args[1], VECTOR)
        build_call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, I32(0), I32(2), I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen
