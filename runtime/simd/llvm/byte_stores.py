"""The operations of `reference.byte_stores`, in LLVM instructions.

Where the processor has no instruction for a step, generic instructions take its place: they give the same bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from ..reference.byte_stores import FURTHEST
from ..reference.bytes import QUAD
from .byte_runs import each
from .byte_types import (
    BYTE,
    LANE,
    LONG,
    WORD,
    constant,
    load_at,
    nearest,
    pieces_of,
    shuffle,
    splat,
    store_at,
    unpack_four,
    vectors_of,
)
from .processor import packs, packs_wide
from .types import F32, I32, I64, build_address, build_call, intrinsic

BEYOND, BEYOND_TOP = float(1 << 23), 0x4B
"""A float32 whose last byte, where integers up to 255 are added, is their own; and its first byte."""


def _clamp(builder: Any, value: Any, low: Any, high: Any) -> Any:
    """Vectors of float32 between two others."""
    value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
    return builder.select(builder.fcmp_ordered(">", value, high), high, value)


def _between(builder: Any, value: Any, low: Any, high: Any, kind: str) -> Any:
    """Vectors of integers between two others; `kind` is ``s`` or ``u``."""
    suffix = f"v{value.type.count}i{value.type.element.width}"
    value = build_call(builder, f"llvm.{kind}max.{suffix}", value.type, [value, low])
    return build_call(builder, f"llvm.{kind}min.{suffix}", value.type, [value, high])


def _rounded(builder: Any, value: Any) -> Any:
    """The nearest int32 of float32, of two the even one; if far from 0, one at least `FURTHEST` away."""
    furthest = constant(value.type, FURTHEST)
    value = builder.select(builder.fcmp_ordered(">", value, furthest), furthest, value)
    if not packs():  # x86 makes the least int32 of what is below all; elsewhere it is undefined
        value = builder.select(builder.fcmp_ordered("<", value, least := constant(value.type, -FURTHEST)), least, value)
    return nearest(builder, value)


def _narrowed(builder: Any, four: list[Any], zero: Any) -> Any:
    """Four vectors of int32, each plus `zero`, as one of bytes that saturate, pixels in their order."""
    lanes = four[0].type.count
    if (packs_wide() and lanes == LANE) or (packs() and lanes == LANE // 2):
        words, bytes_ = ir.VectorType(WORD, 2 * lanes), ir.VectorType(BYTE, 4 * lanes)
        names = ("packssdw.512", "packuswb.512") if lanes == LANE else ("packssdw", "packuswb")
        family = "avx512" if lanes == LANE else "avx2"
        pairs = (build_call(builder, f"llvm.x86.{family}.{names[0]}", words, pair) for pair in (four[:2], four[2:]))
        zeros = splat(builder, builder.trunc(zero, WORD), 2 * lanes)
        name = f"llvm.sadd.sat.v{2 * lanes}i16"
        halves = [build_call(builder, name, words, [pair, zeros]) for pair in pairs]
        return build_call(builder, f"llvm.x86.{family}.{names[1]}", bytes_, halves)
    kind, narrow = four[0].type, ir.VectorType(BYTE, lanes)
    low, high, zeros = constant(kind, 0), constant(kind, 255), splat(builder, zero, lanes)
    a, b, c, d = (builder.trunc(_between(builder, builder.add(v, zeros), low, high, "s"), narrow) for v in four)
    return _in_order(builder, a, b, c, d)


def _in_order(builder: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Four vectors of a piece as one, pixels in their order."""
    lanes = a.type.count
    ends = list(range(2 * lanes))
    order = [lanes * vector + at + j for at in range(0, lanes, QUAD) for vector in range(QUAD) for j in range(QUAD)]
    return shuffle(builder, shuffle(builder, a, b, ends), shuffle(builder, c, d, ends), order)


def _widened(builder: Any, pixels: Any) -> list[Any]:
    """Bytes as float32, each plus `BEYOND`, in four vectors, in the order of sums."""
    none, top = ir.Constant(pixels.type, None), constant(pixels.type, BEYOND_TOP)
    quads = unpack_four(builder, pixels, none, none, top)
    return [builder.bitcast(quad, ir.VectorType(F32, quad.type.count)) for quad in quads]


@intrinsic
def store_outputs(
    typingctx: Any, out: Any, index: Any, step: Any, sums: Any, residual: Any, added: Any, epilogue: Any, channel: Any,
    mask: Any, at: Any, zero: Any, low: Any, high: Any,
) -> Any:  # fmt: skip
    """See `reference.byte_stores.store_outputs`."""
    floats = out.dtype == types.float32

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out_value, start, row_step, total, _, added_value, numbers, first, mask_value, mask_at = args[:10]
        zero_int, *limits_int = (builder.trunc(each, I32) for each in args[10:])
        size = context.make_array(epilogue)(context, builder, numbers).nitems

        def number(from_end: int) -> Any:
            return builder.load(build_address(context, builder, epilogue, numbers, size, F32, -from_end))

        low, high, residual_zero, residual_scale = (number(4 - i) for i in range(4))
        vectors = vectors_of(builder, sums, total)
        for row in range(sums.rows):
            scale = builder.load(build_address(context, builder, epilogue, numbers, first, F32, row))
            place = builder.add(start, builder.mul(row_step, LONG(row)))
            for pixel, count, vector in pieces_of(sums):
                lanes = count // QUAD
                kind, bytes_ = ir.VectorType(F32, lanes), ir.VectorType(BYTE, count)
                begin = row * QUAD * len(sums.pieces) + vector
                values = [
                    builder.fmul(builder.sitofp(each, kind), splat(builder, scale, lanes))
                    for each in vectors[begin : begin + QUAD]
                ]
                if len(residual):
                    base = build_address(context, builder, added, added_value, place, BYTE)
                    less = builder.fadd(residual_zero, F32(BEYOND))  # exact; so is the residual less this number
                    by, less = splat(builder, residual_scale, lanes), splat(builder, less, lanes)
                    terms = _widened(builder, load_at(builder, base, bytes_, pixel))
                    values = [
                        builder.fadd(value, builder.fmul(builder.fsub(term, less), by))
                        for value, term in zip(values, terms, strict=True)
                    ]
                if floats:
                    limits = splat(builder, low, lanes), splat(builder, high, lanes)
                    a, b, c, d = (_clamp(builder, value, *limits) for value in values)
                    target = build_address(context, builder, out, out_value, place, BYTE, pixel)
                    store_at(builder, target, _in_order(builder, a, b, c, d), align=4)
                    continue
                result = _narrowed(builder, [_rounded(builder, value) for value in values], zero_int)
                least, most = (splat(builder, builder.trunc(each, BYTE), count) for each in limits_int)
                result = _between(builder, result, least, most, "u")
                inside = load_at(
                    builder, build_address(context, builder, mask, mask_value, mask_at, BYTE), bytes_, pixel
                )
                zeros = splat(builder, builder.trunc(zero_int, BYTE), count)
                result = builder.xor(builder.and_(builder.xor(result, zeros), inside), zeros)
                store_at(builder, build_address(context, builder, out, out_value, place, BYTE), result, pixel)
        return context.get_dummy_value()

    return types.void(out, I64, I64, sums, residual, added, epilogue, I64, mask, I64, I64, I64, I64), codegen


@intrinsic
def store_bytes(typingctx: Any, out: Any, index: Any, x: Any, place: Any, scale: Any, zero: Any, count: Any) -> Any:
    """See `reference.byte_stores.store_bytes`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out_value, start, x_value, source, by, zero_point, elements = args
        target = build_address(context, builder, out, out_value, start, BYTE)
        origin = build_address(context, builder, x, x_value, source, F32)

        def quantized(at: Any, lanes: int) -> None:
            floats, narrow = ir.VectorType(F32, lanes), ir.VectorType(BYTE, lanes)
            value = builder.load(builder.bitcast(builder.gep(origin, [at]), floats.as_pointer()), align=4)
            value = builder.fmul(value, splat(builder, by, lanes))
            number = builder.fcmp_ordered("ord", value, value)
            whole = _rounded(builder, builder.select(number, value, constant(floats, -FURTHEST)))
            whole = builder.add(whole, splat(builder, builder.trunc(zero_point, I32), lanes))
            whole = _between(builder, whole, constant(whole.type, 0), constant(whole.type, 255), "s")
            store_at(builder, builder.gep(target, [at]), builder.trunc(whole, narrow))

        whole = builder.sub(elements, builder.srem(elements, LONG(LANE)))
        each(builder, LONG(0), whole, LANE, lambda at: quantized(at, LANE))
        each(builder, whole, elements, 1, lambda at: quantized(at, 1))
        return context.get_dummy_value()

    return types.void(out, I64, x, I64, types.float32, I64, I64), codegen
