"""The operations of `reference.pairs`, in LLVM instructions.

Where the processor has no instruction for a step, generic instructions take its place: they give the same bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from ..reference.pairs import PAIR
from .byte_types import constant, dot_words, nearest, shuffle, splat, unpack
from .processor import packs, packs_wide
from .types import I32, I64, LANES, VECTOR, Vectors, build_address, build_call, build_pack, build_splat, intrinsic

WORD, WORDS, SUMS = ir.IntType(16), ir.VectorType(ir.IntType(16), PAIR * LANES), ir.VectorType(I32, LANES)
EIGHTS = [i + j for i in range(0, LANES, 4) for j in (0, 1, 2, 3, LANES, LANES + 1, LANES + 2, LANES + 3)]
"""Order of words: of each eight, four of the first vector and four of the second."""


class PairSums(types.Type):
    """Type of sums of two tiles of `count` vectors each."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"PairSums({count})")


@register_model(PairSums)
class _PairSumsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: PairSums) -> None:
        super().__init__(manager, fe_type, ir.ArrayType(SUMS, PAIR * fe_type.count))


def _narrowed(builder: Any, first: Any, second: Any) -> Any:
    """Two vectors of int32 that fit 16 bits, as words in the order of `EIGHTS`."""
    if packs_wide():
        return build_call(builder, "llvm.x86.avx512.packssdw.512", WORDS, [first, second])
    if packs():
        half, ends = ir.VectorType(WORD, LANES), (list(range(LANES // 2)), list(range(LANES // 2, LANES)))
        pairs = ([shuffle(builder, vector, vector, end) for vector in (first, second)] for end in ends)
        low, high = (build_call(builder, "llvm.x86.avx2.packssdw", half, pair) for pair in pairs)
        return shuffle(builder, low, high, list(range(PAIR * LANES)))
    narrow = ir.VectorType(WORD, LANES)
    return shuffle(builder, builder.trunc(first, narrow), builder.trunc(second, narrow), EIGHTS)


@intrinsic
def store_words(typingctx: Any, out: Any, index: Any, first: Any, second: Any, scale: Any) -> Any:
    """See `reference.pairs.store_words`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        by = build_splat(builder, args[4])
        vectors = (builder.fmul(builder.extract_value(value, 0), by) for value in args[2:4])
        whole = [nearest(builder, vector) for vector in vectors]
        place = build_address(context, builder, out, args[0], args[1], WORDS)
        builder.store(_narrowed(builder, *whole), place, align=2)
        return context.get_dummy_value()

    return types.void(out, I64, first, second, types.float32), codegen


@intrinsic
def no_pairs(typingctx: Any, tag: Any) -> Any:
    """See `reference.pairs.no_pairs`."""
    result = PairSums(len(tag))
    return result(tag), lambda context, builder, sig, args: context.get_value_type(result)(None)


@intrinsic
def dot_pair(typingctx: Any, sums: Any, x: Any, offsets: Any, weights: Any, pair: Any) -> Any:
    """See `reference.pairs.dot_pair`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        total, x_value, offsets_value, weights_value, number = args
        at = builder.mul(number, ir.IntType(64)(PAIR))
        both = builder.load(build_address(context, builder, offsets, offsets_value, at, I32), align=2)
        places = builder.and_(both, I32(0xFFFF)), builder.lshr(both, I32(16))
        starts = [builder.mul(builder.zext(place, ir.IntType(64)), ir.IntType(64)(PAIR * LANES)) for place in places]
        weight = builder.load(build_address(context, builder, weights, weights_value, at, I32), align=2)
        by = splat(builder, weight, LANES)
        for i in range(sums.count):
            taps = (build_address(context, builder, x, x_value, start, WORDS, PAIR * LANES * i) for start in starts)
            a, b = (builder.load(tap, align=2) for tap in taps)
            for tile in range(PAIR):
                place = PAIR * i + tile
                found = dot_words(builder, builder.extract_value(total, place), unpack(builder, a, b, tile), by)
                total = builder.insert_value(total, found, place)
        return total

    return sums(sums, x, offsets, weights, I64), codegen


def _floats(sums: Any, tile: int) -> tuple[Any, Any]:
    """Signature and code of the sums of a tile as float32."""
    result = Vectors(sums.count)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = (builder.extract_value(args[0], PAIR * i + tile) for i in range(sums.count))
        return build_pack(builder, [builder.sitofp(vector, VECTOR) for vector in found])

    return result(sums), codegen


@intrinsic
def first_sums(typingctx: Any, sums: Any) -> Any:
    """See `reference.pairs.first_sums`."""
    return _floats(sums, 0)


@intrinsic
def second_sums(typingctx: Any, sums: Any) -> Any:
    """See `reference.pairs.second_sums`."""
    return _floats(sums, 1)


@intrinsic
def magnitude(typingctx: Any, most: Any, value: Any) -> Any:
    """See `reference.pairs.magnitude`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = []
        for i in range(most.count):
            one, other = (builder.bitcast(builder.extract_value(arg, i), SUMS) for arg in args)
            other = builder.and_(other, constant(SUMS, 0x7FFFFFFF))
            vectors.append(builder.bitcast(build_call(builder, "llvm.smax.v16i32", SUMS, [one, other]), VECTOR))
        return build_pack(builder, vectors)

    return most(most, value), codegen


@intrinsic
def greatest_magnitude(typingctx: Any, most: Any) -> Any:
    """See `reference.pairs.greatest_magnitude`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.bitcast(builder.extract_value(args[0], 0), SUMS)
        for i in range(1, most.count):
            other = builder.bitcast(builder.extract_value(args[0], i), SUMS)
            found = build_call(builder, "llvm.smax.v16i32", SUMS, [found, other])
        return builder.bitcast(build_call(builder, "llvm.vector.reduce.smax.v16i32", I32, [found]), ir.FloatType())

    return types.float32(most), codegen
