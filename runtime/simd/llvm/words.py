"""The operations of `reference.words`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import models, register_model

from .types import (
    I32,
    LANES,
    MASK,
    VECTOR,
    Vectors,
    build_address,
    build_call,
    build_fma,
    build_load,
    build_pack,
    build_splat,
    intrinsic,
)

WIDTH = 2 * LANES
WORD = ir.IntType(16)
WORDS = ir.VectorType(WORD, WIDTH)
HALF = ir.VectorType(WORD, LANES)
BITS = ir.VectorType(I32, LANES)


class Words(types.Type):
    """Type of `count` vectors of 32 words each."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Words({count})")


@register_model(Words)
class _WordsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Words) -> None:
        super().__init__(manager, fe_type, ir.ArrayType(WORDS, fe_type.count))


def _splat(value: int) -> Any:
    return ir.Constant(WORDS, [value] * WIDTH)


def _load(context: Any, builder: Any, array_type: Any, array: Any, index: Any, count: int) -> list[Any]:
    places = (build_address(context, builder, array_type, array, index, WORDS, WIDTH * i) for i in range(count))
    return [builder.load(place, align=2) for place in places]


def _pick(builder: Any, table: list[Any], indices: Any) -> Any:
    """Word i is element ``indices[i]`` of vectors laid end to end: permutes of one or two, then blends by bit."""
    if len(table) == 1:
        return build_call(builder, "llvm.x86.avx512.permvar.hi.512", WORDS, [table[0], indices])
    name = "llvm.x86.avx512.vpermi2var.hi.512"
    found = [build_call(builder, name, WORDS, [a, indices, b]) for a, b in zip(table[::2], table[1::2], strict=True)]
    bit = 2 * WIDTH
    while len(found) > 1:
        upper = builder.icmp_signed("!=", builder.and_(indices, _splat(bit)), _splat(0))
        found = [builder.select(upper, high, low) for low, high in zip(found[::2], found[1::2], strict=True)]
        bit *= 2
    return found[0]


def _join(builder: Any, low: Any, high: Any) -> list[Any]:
    """Two vectors of float32 of whose lanes the upper and lower words are given: of each eight words four to each."""
    eights = range(0, WIDTH, 8)
    orders = ([j for i in eights for k in range(4) for j in (i + k + half, i + k + half + WIDTH)] for half in (0, 4))
    masks = (ir.Constant(ir.VectorType(I32, WIDTH), order) for order in orders)
    return [builder.bitcast(builder.shuffle_vector(low, high, mask), VECTOR) for mask in masks]


def _shifted(builder: Any, indices: Any, shift: Any) -> Any:
    """The one vector of words `indices`, shifted right by an int64."""
    lanes = builder.insert_element(ir.Constant(WORDS, ir.Undefined), builder.trunc(shift, WORD), I32(0))
    lanes = builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(I32, WIDTH), [0] * WIDTH))
    return builder.lshr(builder.extract_value(indices, 0), lanes)


@intrinsic
def load_words(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.words.load_words`."""
    result = Words(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        packed = cgutils.get_null_value(context.get_value_type(result))
        for i, vector in enumerate(_load(context, builder, array, args[1], args[2], result.count)):
            packed = builder.insert_value(packed, vector, i)
        return packed

    return result(tag, array, types.int64), codegen


@intrinsic
def store_split_words(typingctx: Any, array: Any, index: Any, plane: Any, value: Any) -> Any:
    """See `reference.words.store_split_words`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = builder.bitcast(builder.extract_value(args[3], 0), BITS)
        upper = builder.lshr(lanes, ir.Constant(BITS, [16] * LANES))
        for words, at in ((lanes, args[1]), (upper, builder.add(args[1], args[2]))):
            place = build_address(context, builder, array, args[0], at, HALF)
            builder.store(builder.trunc(words, HALF), place, align=2)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, value), codegen


@intrinsic
def table_lookup(typingctx: Any, low: Any, high: Any, indices: Any, shift: Any) -> Any:
    """See `reference.words.table_lookup`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at = _shifted(builder, args[2], args[3])
        tables = ([builder.extract_value(value, i) for i in range(low.count)] for value in args[:2])
        return build_pack(builder, _join(builder, *(_pick(builder, table, at) for table in tables)))

    return Vectors(2)(low, high, indices, types.int64), codegen


@intrinsic
def fma_table_lookup(
    typingctx: Any, acc: Any, weights: Any, indices: Any, shift: Any, window: Any, array: Any, index: Any, plane: Any
) -> Any:
    """See `reference.words.fma_table_lookup`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, weights_value, indices_value, shift_value, _, array_value, first, size = args
        at = _shifted(builder, indices_value, shift_value)
        sums = [builder.extract_value(acc_value, i) for i in range(acc.count)]
        for sample in range(acc.count // 2):
            starts = (builder.add(first, builder.mul(size, ir.IntType(64)(2 * sample + half))) for half in range(2))
            tables = [_load(context, builder, array, array_value, start, len(window)) for start in starts]
            picked = _join(builder, *(_pick(builder, table, at) for table in tables))
            for i, x in enumerate(picked):
                place = 2 * sample + i
                sums[place] = build_fma(builder, builder.extract_value(weights_value, i), x, sums[place])
        return build_pack(builder, sums)

    return acc(acc, weights, indices, types.int64, window, array, types.int64, types.int64), codegen


@intrinsic
def fma_triples(typingctx: Any, acc: Any, book: Any, stream: Any, place: Any, array: Any, index: Any, step: Any) -> Any:
    """See `reference.words.fma_triples`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, book_value, stream_value, first, array_value, start, size = args
        words = builder.load(build_address(context, builder, stream, stream_value, first, BITS), align=4)

        def look_up(table: list[Any], bit: int) -> Any:
            at = builder.lshr(words, ir.Constant(BITS, [bit] * LANES)) if bit else words
            return build_call(builder, "llvm.x86.avx512.vpermi2var.ps.512", VECTOR, [table[0], at, table[1]])

        inside = ir.Constant(MASK, [1] * (LANES - 1) + [0])
        sums = [builder.extract_value(acc_value, i) for i in range(acc.count)]
        weights = [look_up([builder.extract_value(book_value, i) for i in range(2)], 10 * i) for i in range(3)]
        for sample in range(acc.count // 3):
            at = builder.add(start, builder.mul(size, ir.IntType(64)(sample)))
            place = build_address(context, builder, array, array_value, at, VECTOR, LANES)
            rest = [place, I32(4), inside, ir.Constant(VECTOR, [0.0] * LANES)]
            window = [
                build_load(context, builder, array, array_value, at),
                build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, rest),
            ]
            for i in range(3):
                sums[3 * sample + i] = build_fma(builder, weights[i], look_up(window, 10 * i + 5), sums[3 * sample + i])
        return build_pack(builder, sums)

    return acc(acc, book, stream, types.int64, array, types.int64, types.int64), codegen


@intrinsic
def gather(typingctx: Any, tag: Any, array: Any, places: Any) -> Any:
    """See `reference.words.gather`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.IntType(64)(0)
        at = builder.load(build_address(context, builder, places, args[2], zero, BITS), align=4)
        name, everywhere = "llvm.x86.avx512.mask.gather.dpi.512", ir.Constant(MASK, [1] * LANES)
        found = []
        for i in range(result.count):
            start = build_address(context, builder, array, args[1], zero, I32, i)
            lanes = build_call(builder, name, BITS, [ir.Constant(BITS, [0] * LANES), start, at, everywhere, I32(4)])
            found.append(builder.bitcast(lanes, VECTOR))
        return build_pack(builder, found)

    return result(tag, array, places), codegen


@intrinsic
def reduce_min(typingctx: Any, values: Any) -> Any:
    """See `reference.words.reduce_min`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = builder.bitcast(builder.extract_value(args[0], 0), BITS)
        return builder.zext(build_call(builder, "llvm.vector.reduce.umin.v16i32", I32, [lanes]), ir.IntType(64))

    return types.int64(values), codegen


@intrinsic
def pack_slots(
    typingctx: Any, stream: Any, index: Any, places: Any, values: Any, origin: Any, limit: Any, empty: Any, bits: Any
) -> Any:
    """See `reference.words.pack_slots`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, most, vacant, width = (build_splat(builder, builder.trunc(value, I32)) for value in args[4:])
        place = build_address(context, builder, places, args[2], ir.IntType(64)(0), BITS)
        word, taken = ir.Constant(BITS, [0] * LANES), builder.load(place, align=4)
        for i in reversed(range(values.count)):
            entry = builder.sub(builder.bitcast(builder.extract_value(args[3], i), BITS), first)
            inside = builder.icmp_unsigned("<", entry, most)
            word = builder.or_(builder.shl(word, width), builder.select(inside, entry, vacant))
            taken = builder.sub(taken, builder.sext(inside, BITS))
        builder.store(taken, place, align=4)
        lanes = builder.bitcast(word, WORDS)
        if values.count == 2:
            fours = (range(four, four + 8, 2) for eight in range(0, WIDTH, 8) for four in (eight, eight + 1))
            order = ir.Constant(ir.VectorType(I32, WIDTH), [at for four in fours for at in four])
            lanes = builder.shuffle_vector(lanes, ir.Constant(WORDS, ir.Undefined), order)
        builder.store(lanes, build_address(context, builder, stream, args[0], args[1], WORDS), align=2)
        return context.get_dummy_value()

    integers = (types.int64,) * 4
    return types.void(stream, types.int64, places, values, *integers), codegen
