"""The operations of `reference.bytes`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from ..reference.bytes import QUAD
from .byte_types import BYTE, LONG, Sums, dot, load_at, pack_sums, pieces_of, splat, store_at, unpack_four, vectors_of
from .types import I32, I64, build_address, intrinsic


@intrinsic
def start_sums(typingctx: Any, rows: Any, halves: Any, biases: Any, index: Any) -> Any:
    """See `reference.bytes.start_sums`."""
    result = Sums(len(rows), len(halves))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = []
        for row in range(result.rows):
            bias = builder.load(build_address(context, builder, biases, args[2], args[3], I32, row))
            vectors += [splat(builder, bias, kind.count) for kind in result.vectors[: QUAD * len(result.pieces)]]
        return pack_sums(builder, result, vectors)

    return result(rows, halves, biases, I64), codegen


@intrinsic
def load_sums(typingctx: Any, rows: Any, halves: Any, array: Any, index: Any) -> Any:
    """See `reference.bytes.load_sums`."""
    result = Sums(len(rows), len(halves))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at, vectors = build_address(context, builder, array, args[2], args[3], BYTE), []
        for kind in result.vectors:
            vectors.append(load_at(builder, at, kind, align=4))
            at = builder.gep(at, [LONG(4 * kind.count)])
        return pack_sums(builder, result, vectors)

    return result(rows, halves, array, I64), codegen


@intrinsic
def store_sums(typingctx: Any, array: Any, index: Any, sums: Any) -> Any:
    """See `reference.bytes.store_sums`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at = build_address(context, builder, array, args[0], args[1], BYTE)
        for vector in vectors_of(builder, sums, args[2]):
            store_at(builder, at, vector, align=4)
            at = builder.gep(at, [LONG(4 * vector.type.count)])
        return context.get_dummy_value()

    return types.void(array, I64, sums), codegen


def _four_offsets(context: Any, builder: Any, offsets: Any, value: Any, quad: Any) -> list[Any]:
    """Four offsets as int64; those of 16 bits by a single load."""
    first = builder.mul(quad, LONG(QUAD))
    if offsets.dtype != types.uint16:
        places = (build_address(context, builder, offsets, value, first, I32, i) for i in range(QUAD))
        return [builder.zext(builder.load(place), LONG) for place in places]
    four = builder.load(build_address(context, builder, offsets, value, first, LONG), align=2)
    return [builder.and_(builder.lshr(four, LONG(16 * i)), LONG(0xFFFF)) for i in range(QUAD)]


@intrinsic
def dot_quad(typingctx: Any, sums: Any, x: Any, index: Any, offsets: Any, weights: Any, quad: Any) -> Any:
    """See `reference.bytes.dot_quad`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        total, x_value, start, offsets_value, weights_value, number = args
        base = build_address(context, builder, x, x_value, start, BYTE)
        planes = [builder.gep(base, [at]) for at in _four_offsets(context, builder, offsets, offsets_value, number)]
        place = build_address(context, builder, weights, weights_value, builder.mul(number, LONG(QUAD)), I32)
        four, vectors = builder.load(place, align=1), vectors_of(builder, sums, total)
        for pixel, count, first in pieces_of(sums):
            by = splat(builder, four, count // QUAD)
            loads = [load_at(builder, plane, ir.VectorType(BYTE, count), pixel) for plane in planes]
            for i, quads in enumerate(unpack_four(builder, *loads), first):
                vectors[i] = dot(builder, vectors[i], quads, by)
        return pack_sums(builder, sums, vectors)

    return sums(sums, x, I64, offsets, weights, I64), codegen


@intrinsic
def interleave(typingctx: Any, halves: Any, x: Any, index: Any, offsets: Any, quad: Any, out: Any, place: Any) -> Any:
    """See `reference.bytes.interleave`."""
    tile = Sums(1, len(halves))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, x_value, start, offsets_value, number, out_value, to = args
        base = build_address(context, builder, x, x_value, start, BYTE)
        target = build_address(context, builder, out, out_value, to, BYTE)
        planes = [builder.gep(base, [at]) for at in _four_offsets(context, builder, offsets, offsets_value, number)]
        for pixel, count, _ in pieces_of(tile):
            loads = [load_at(builder, plane, ir.VectorType(BYTE, count), pixel) for plane in planes]
            for i, quads in enumerate(unpack_four(builder, *loads)):
                store_at(builder, target, quads, QUAD * pixel + i * count, align=16)
        return context.get_dummy_value()

    return types.void(halves, x, I64, offsets, I64, out, I64), codegen


@intrinsic
def dot_rows(typingctx: Any, sums: Any, x: Any, index: Any, weights: Any, first: Any) -> Any:
    """See `reference.bytes.dot_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        base = build_address(context, builder, x, args[1], args[2], BYTE)
        vectors, kinds = vectors_of(builder, sums, args[0]), sums.vectors[: QUAD * len(sums.pieces)]
        columns, skip = [], 0
        for kind in kinds:
            columns.append(load_at(builder, base, kind, skip, align=16))
            skip += 4 * kind.count
        at = builder.mul(args[4], LONG(QUAD))
        for row in range(sums.rows):
            four = builder.load(build_address(context, builder, weights, args[3], at, I32, QUAD * row), align=1)
            for i, column in enumerate(columns, row * len(kinds)):
                vectors[i] = dot(builder, vectors[i], column, splat(builder, four, column.type.count))
        return pack_sums(builder, sums, vectors)

    return sums(sums, x, I64, weights, I64), codegen
