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
    LANE_IDS,
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

PAIR = ir.VectorType(F32, 2)


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


def _build_masked(builder: Any, line: Any, skip: int, bits: Any) -> Any:
    """The vector that begins `skip` elements behind a pointer, in the lanes that the lowest bits tell; else zero."""
    place = builder.bitcast(builder.gep(line, [I32(skip)]), VECTOR.as_pointer())
    mask = build_bits(builder, bits)
    return build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, [place, I32(4), mask, ir.Constant(VECTOR, None)])


def _build_windows(builder: Any, loaded: list[Any], columns: int) -> list[Any]:
    """The pixels that each column of a kernel sees at a stride of 2, of three vectors that lie end to end."""
    first, second, more = loaded
    halves = [build_shuffle(builder, first, second, lanes) for lanes in (EVENS, ODDS)]
    windows = []
    for column in range(columns):
        skip, half = divmod(column, 2)
        lanes = [*range(skip, LANES), *range(LANES + half, LANES + half + 2 * skip, 2)]
        windows.append(build_shuffle(builder, halves[half], more, lanes))
    return windows


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
    nothing: Any,
) -> Any:
    """See `reference.window.fma_window`."""
    kw, s = len(columns), len(step)
    kh, long = weights.count // kw, ir.IntType(64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums = [builder.extract_value(args[0], r) for r in range(acc.count)]
        taps = [builder.extract_value(args[1], tap) for tap in range(weights.count)]
        image, start, row_step, bits, first_mask, first_row, rows, zeros = args[4:]
        image, zeros = (
            context.make_array(kind)(context, builder, value).data for kind, value in ((array, image), (nothing, zeros))
        )
        ends, line_bits = range(0, s * LANES + kw - s, LANES), long(0)
        for i, end in enumerate(ends):
            mask = _build_item(context, builder, masks, bits, first_mask, i)
            line_bits = builder.or_(line_bits, builder.shl(mask, long(end)))
        for y in range((acc.count - 1) * s + kh):
            row = builder.add(first_row, long(y))
            inside = builder.icmp_unsigned("<", row, rows)
            line = builder.gep(image, [builder.add(start, builder.mul(row_step, row))])
            line = builder.select(inside, line, zeros)  # the masks of all rows are equal, and so stay in registers
            if s == 1:
                windows = [_build_masked(builder, line, x, builder.lshr(line_bits, long(x))) for x in range(kw)]
            else:
                loaded = [_build_masked(builder, line, x, builder.lshr(line_bits, long(x))) for x in ends]
                windows = _build_windows(builder, loaded, kw)
            for kx, pixels in enumerate(windows):
                for r in range(acc.count):
                    if 0 <= y - r * s < kh:
                        sums[r] = build_fma(builder, taps[(y - r * s) * kw + kx], pixels, sums[r])
        return build_pack(builder, sums)

    return acc(acc, weights, columns, step, array, I64, I64, masks, I64, I64, I64, nothing), codegen


def _build_pair(builder: Any, data: Any, index: Any, skip: int) -> Any:
    """A vector with two neighbouring elements in its even and odd lanes."""
    both = builder.bitcast(builder.gep(data, [builder.add(index, ir.IntType(64)(skip))]), PAIR.as_pointer())
    lanes = ir.Constant(LANE_IDS, [0, 1] * (LANES // 2))
    return builder.shuffle_vector(builder.load(both, align=4), ir.Constant(PAIR, ir.Undefined), lanes)


@intrinsic
def splat_pair(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.window.splat_pair`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[1]).data
        return build_pack(builder, [_build_pair(builder, data, args[2], 0)] * result.count)

    return result(tag, array, I64), codegen


@intrinsic
def fma_pairs(
    typingctx: Any,
    acc: Any,
    taps: Any,
    columns: Any,
    step: Any,
    pad: Any,
    weights: Any,
    position: Any,
    array: Any,
    first: Any,
    second: Any,
    pitch: Any,
    bits: Any,
    top: Any,
    height: Any,
    nothing: Any,
) -> Any:
    """See `reference.window.fma_pairs`."""
    kw, s, left = len(columns), len(step), len(pad)
    kh, long = len(taps) // kw, ir.IntType(64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums = [builder.extract_value(args[0], r) for r in range(acc.count)]
        book, start, image, *planes, row_step, lanes, first_row, rows, zeros = args[5:]
        book, image, zeros = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in ((weights, book), (array, image), (nothing, zeros))
        )
        for y in range((acc.count - 1) * s + kh):
            row = builder.add(first_row, long(y))
            inside = builder.icmp_unsigned("<", row, rows)
            places = (builder.gep(image, [builder.add(plane, builder.mul(row, row_step))]) for plane in planes)
            lines = (builder.select(inside, place, zeros) for place in places)
            one, other = (_build_masked(builder, line, 0, lanes) for line in lines)
            for kx in range(kw):
                columns_seen = (i * s + kx - left for i in range(LANES // 2))
                # The last lane is not read, and so zero.
                picks = [x if 0 <= x < LANES else LANES - 1 for x in columns_seen]
                pixels = build_shuffle(builder, one, other, [x + p * LANES for x in picks for p in range(2)])
                for r in range(acc.count):
                    if 0 <= y - r * s < kh:
                        by = _build_pair(builder, book, start, 2 * ((y - r * s) * kw + kx))
                        sums[r] = build_fma(builder, by, pixels, sums[r])
        return build_pack(builder, sums)

    numbers = I64, I64, I64
    return acc(acc, taps, columns, step, pad, weights, I64, array, *numbers, *numbers, nothing), codegen


@intrinsic
def store_pairs(
    typingctx: Any, array: Any, first: Any, second: Any, pitch: Any, width: Any, rows: Any, value: Any
) -> Any:
    """See `reference.window.store_pairs`."""
    half, long = LANES // 2, ir.IntType(64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target, *starts, row_step, lanes, count, vectors = args
        # As integers, of which one is selected without a branch: behind a branch, each sum would be added up by itself.
        row_bits = builder.sub(builder.shl(long(1), lanes), long(1))
        for r in range(value.count):
            vector = builder.extract_value(vectors, r)
            apart = build_shuffle(builder, vector, vector, [*range(0, LANES, 2), *range(1, LANES, 2)])
            there = builder.icmp_signed("<", long(r), count)
            bits = builder.select(there, row_bits, long(0))
            for p, start in enumerate(starts):
                place = builder.add(start, builder.mul(row_step, long(r)))
                pointer = build_address(context, builder, array, target, place, VECTOR, -p * half)
                mask = build_bits(builder, builder.shl(bits, long(p * half)))
                arguments = [apart, pointer, I32(4), mask]
                build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(array, I64, I64, I64, I64, I64, value), codegen
