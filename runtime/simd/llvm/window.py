"""The operations of `reference.window`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .lanes import EVENS, ODDS, build_shuffle
from .types import (
    F32,
    I32,
    I64,
    LANES,
    VECTOR,
    Vectors,
    build_address,
    build_bits,
    build_call,
    build_fma,
    build_pack,
    build_splat,
    intrinsic,
)


@intrinsic
def spread(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.window.spread`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        places = [build_address(context, builder, array, args[1], args[2], F32, i) for i in range(result.count)]
        return build_pack(builder, [build_splat(builder, builder.load(place)) for place in places])

    return result(tag, array, I64), codegen


def _build_item(context: Any, builder: Any, array: Any, value: Any, index: Any, skip: int) -> Any:
    """The element ``array[index + skip]``."""
    data = context.make_array(array)(context, builder, value).data
    return builder.load(builder.gep(data, [builder.add(index, ir.IntType(64)(skip))]))


@intrinsic
def load_places(
    typingctx: Any, tag: Any, step: Any, array: Any, index: Any, places: Any, at: Any, masks: Any, first: Any
) -> Any:
    """See `reference.window.load_places`."""
    result, s = Vectors(len(tag)), len(step)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, image, start, place_value, first_place, mask_value, first_mask = args
        vectors = []
        for v in range(result.count):
            place = builder.add(start, _build_item(context, builder, places, place_value, first_place, v))
            loaded = []
            for part in range(s):
                bits = _build_item(context, builder, masks, mask_value, first_mask, v * s + part)
                pointer = build_address(context, builder, array, image, place, VECTOR, part * LANES)
                arguments = [pointer, I32(4), build_bits(builder, bits), ir.Constant(VECTOR, None)]
                loaded.append(build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments))
            vectors.append(build_shuffle(builder, loaded[0], loaded[1], EVENS) if s == 2 else loaded[0])
        return build_pack(builder, vectors)

    return result(tag, step, array, I64, places, I64, masks, I64), codegen


@intrinsic
def store_places(
    typingctx: Any, array: Any, index: Any, places: Any, at: Any, masks: Any, first: Any, value: Any
) -> Any:
    """See `reference.window.store_places`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target, start, place_value, first_place, mask_value, first_mask, vectors = args
        for v in range(value.count):
            place = builder.add(start, _build_item(context, builder, places, place_value, first_place, v))
            bits = _build_item(context, builder, masks, mask_value, first_mask, v)
            pointer = build_address(context, builder, array, target, place, VECTOR)
            arguments = [builder.extract_value(vectors, v), pointer, I32(4), build_bits(builder, bits)]
            build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(array, I64, places, I64, masks, I64, value), codegen


@intrinsic
def fma_window(
    typingctx: Any,
    acc: Any,
    weights: Any,
    columns: Any,
    step: Any,
    array: Any,
    index: Any,
    pitch: Any,
    masks: Any,
    at: Any,
    top: Any,
    height: Any,
) -> Any:
    """See `reference.window.fma_window`."""
    kw, s = len(columns), len(step)
    kh, long = weights.count // kw, ir.IntType(64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums = [builder.extract_value(args[0], r) for r in range(acc.count)]
        taps = [builder.extract_value(args[1], tap) for tap in range(weights.count)]
        image, plane, row_step, bits, first_mask, first_row, rows = args[4:]
        data = context.make_array(masks)(context, builder, bits).data
        loads = range(-(-kw // s) * s)
        kept = [builder.load(builder.gep(data, [builder.add(first_mask, long(i))])) for i in loads]

        def pixels(row: Any, inside: Any, i: int) -> Any:
            mask = builder.trunc(builder.select(inside, kept[i], long(0)), ir.IntType(LANES))
            place = build_address(context, builder, array, image, row, VECTOR, i // s * s + i % s * LANES)
            arguments = [place, I32(4), build_bits(builder, mask), ir.Constant(VECTOR, None)]
            return build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments)

        for y in range((acc.count - 1) * s + kh):
            row = builder.add(first_row, long(y))
            inside = builder.icmp_unsigned("<", row, rows)
            start = builder.add(plane, builder.mul(row_step, builder.select(inside, row, long(0))))
            for kx in range(kw):
                if kx % s == 0:
                    loaded = [pixels(start, inside, i) for i in range(kx, kx + s)]
                window = build_shuffle(builder, loaded[0], loaded[1], (EVENS, ODDS)[kx % 2]) if s == 2 else loaded[0]
                for r in range(acc.count):
                    if 0 <= y - r * s < kh:
                        sums[r] = build_fma(builder, taps[(y - r * s) * kw + kx], window, sums[r])
        return build_pack(builder, sums)

    return acc(acc, weights, columns, step, array, I64, I64, masks, I64, I64, I64), codegen
