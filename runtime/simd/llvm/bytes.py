"""The operations of `reference.bytes`, in LLVM instructions.

A `Sums` value is a struct of vectors of int32: for each row and each piece of 64 or 32 pixels, four of 16 or 8 lanes.
Where the processor has no instruction for a step, generic instructions take its place: they give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from ....core.cpu import BYTE_DOTS, PACKS, WORDS
from ..reference.bytes import FURTHEST, HALF, QUAD
from .types import F32, I32, I64, build_address, build_call, intrinsic

BYTE, WORD, LONG = ir.IntType(8), ir.IntType(16), ir.IntType(64)
LANE = 16
"""Bytes within which unpacking and packing work: 128 bits."""


class Sums(types.Type):
    """Type of sums of some rows of ``32 * halves`` pixels each."""

    def __init__(self, rows: int, halves: int) -> None:
        self.rows, self.halves = rows, halves
        super().__init__(name=f"Sums({rows}, {halves})")

    @property
    def pieces(self) -> list[int]:
        """Pixels of each piece of a row."""
        return [2 * HALF] * (self.halves // 2) + [HALF] * (self.halves % 2)

    @property
    def vectors(self) -> list[Any]:
        """Types of all vectors."""
        return [
            ir.VectorType(I32, pixels // QUAD) for _ in range(self.rows) for pixels in self.pieces for _ in range(QUAD)
        ]


@register_model(Sums)
class _SumsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Sums) -> None:
        super().__init__(manager, fe_type, ir.LiteralStructType(fe_type.vectors))


def _pieces(sums: Sums) -> Iterator[tuple[int, int, int]]:
    """First pixel of each piece of a row, its pixels, and the number of its first vector."""
    for number, pixels in enumerate(sums.pieces):
        yield 2 * HALF * number, pixels, QUAD * number


def _pack(builder: Any, sums: Sums, vectors: list[Any]) -> Any:
    packed = ir.Constant(ir.LiteralStructType(sums.vectors), ir.Undefined)
    for i, vector in enumerate(vectors):
        packed = builder.insert_value(packed, vector, i)
    return packed


def _vectors(builder: Any, sums: Sums, value: Any) -> list[Any]:
    return [builder.extract_value(value, i) for i in range(len(sums.vectors))]


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    kind = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(
        first, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    )


def _constant(kind: Any, value: Any) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), order))


def _unpack(builder: Any, a: Any, b: Any, upper: int) -> Any:
    """Elements of two vectors by turns: those of the lower or the upper halves of each 128 bits."""
    count = a.type.count
    lane = LANE * 8 // a.type.element.width
    half = lane // 2
    firsts = (i + upper * half + j for i in range(0, count, lane) for j in range(half))
    return _shuffle(builder, a, b, [place for i in firsts for place in (i, count + i)])


def _unpack_four(builder: Any, a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """The bytes of four vectors side by side, four to an int32, in four vectors."""
    words, lanes = ir.VectorType(WORD, a.type.count // 2), ir.VectorType(I32, a.type.count // 4)
    quads = []
    for upper in (0, 1):
        ab, cd = (builder.bitcast(_unpack(builder, *pair, upper), words) for pair in ((a, b), (c, d)))
        quads += [builder.bitcast(_unpack(builder, ab, cd, half), lanes) for half in (0, 1)]
    return quads


def _dot(builder: Any, total: Any, x: Any, weights: Any) -> Any:
    """Each int32 gains the products of its four bytes of `x`, unsigned, and of `weights`, signed."""
    lanes = total.type.count
    if BYTE_DOTS:
        bytes_ = ir.VectorType(BYTE, QUAD * lanes)
        name = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}"
        return build_call(
            builder, name, total.type, [total, builder.bitcast(x, bytes_), builder.bitcast(weights, bytes_)]
        )
    words, wide = ir.VectorType(WORD, 2 * lanes), ir.VectorType(I32, 2 * lanes)
    x, weights = builder.bitcast(x, words), builder.bitcast(weights, words)
    eight = _constant(words, 8)
    pairs = (
        (builder.and_(x, _constant(words, 255)), builder.ashr(builder.shl(weights, eight), eight)),
        (builder.lshr(x, eight), builder.ashr(weights, eight)),
    )
    for a, b in pairs:  # compilers know this form as one instruction, a multiply-add of pairs of words
        products = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
        even, odd = (_shuffle(builder, products, products, list(range(i, 2 * lanes, 2))) for i in (0, 1))
        total = builder.add(total, builder.add(even, odd))
    return total


def _load(builder: Any, start: Any, kind: Any, skip: Any = 0, align: int = 1) -> Any:
    """A vector `skip` bytes behind a pointer to bytes."""
    skip = LONG(skip) if isinstance(skip, int) else skip
    return builder.load(builder.bitcast(builder.gep(start, [skip]), kind.as_pointer()), align=align)


def _save(builder: Any, start: Any, value: Any, skip: int = 0, align: int = 1) -> None:
    builder.store(value, builder.bitcast(builder.gep(start, [LONG(skip)]), value.type.as_pointer()), align=align)


@intrinsic
def start_sums(typingctx: Any, rows: Any, halves: Any, biases: Any, index: Any) -> Any:
    """See `reference.bytes.start_sums`."""
    result = Sums(len(rows), len(halves))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = []
        for row in range(result.rows):
            bias = builder.load(build_address(context, builder, biases, args[2], args[3], I32, row))
            vectors += [_splat(builder, bias, kind.count) for kind in result.vectors[: QUAD * len(result.pieces)]]
        return _pack(builder, result, vectors)

    return result(rows, halves, biases, I64), codegen


@intrinsic
def load_sums(typingctx: Any, rows: Any, halves: Any, array: Any, index: Any) -> Any:
    """See `reference.bytes.load_sums`."""
    result = Sums(len(rows), len(halves))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at, vectors = build_address(context, builder, array, args[2], args[3], BYTE), []
        for kind in result.vectors:
            vectors.append(_load(builder, at, kind, align=4))
            at = builder.gep(at, [LONG(4 * kind.count)])
        return _pack(builder, result, vectors)

    return result(rows, halves, array, I64), codegen


@intrinsic
def store_sums(typingctx: Any, array: Any, index: Any, sums: Any) -> Any:
    """See `reference.bytes.store_sums`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        at = build_address(context, builder, array, args[0], args[1], BYTE)
        for vector in _vectors(builder, sums, args[2]):
            _save(builder, at, vector, align=4)
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
        four, vectors = builder.load(place, align=1), _vectors(builder, sums, total)
        for pixel, count, first in _pieces(sums):
            by = _splat(builder, four, count // QUAD)
            loads = [_load(builder, plane, ir.VectorType(BYTE, count), pixel) for plane in planes]
            for i, quads in enumerate(_unpack_four(builder, *loads), first):
                vectors[i] = _dot(builder, vectors[i], quads, by)
        return _pack(builder, sums, vectors)

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
        for pixel, count, _ in _pieces(tile):
            loads = [_load(builder, plane, ir.VectorType(BYTE, count), pixel) for plane in planes]
            for i, quads in enumerate(_unpack_four(builder, *loads)):
                _save(builder, target, quads, QUAD * pixel + i * count, align=16)
        return context.get_dummy_value()

    return types.void(halves, x, I64, offsets, I64, out, I64), codegen


@intrinsic
def dot_rows(typingctx: Any, sums: Any, x: Any, index: Any, weights: Any, first: Any) -> Any:
    """See `reference.bytes.dot_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        base = build_address(context, builder, x, args[1], args[2], BYTE)
        vectors, kinds = _vectors(builder, sums, args[0]), sums.vectors[: QUAD * len(sums.pieces)]
        columns, skip = [], 0
        for kind in kinds:
            columns.append(_load(builder, base, kind, skip, align=16))
            skip += 4 * kind.count
        at = builder.mul(args[4], LONG(QUAD))
        for row in range(sums.rows):
            four = builder.load(build_address(context, builder, weights, args[3], at, I32, QUAD * row), align=1)
            for i, column in enumerate(columns, row * len(kinds)):
                vectors[i] = _dot(builder, vectors[i], column, _splat(builder, four, column.type.count))
        return _pack(builder, sums, vectors)

    return sums(sums, x, I64, weights, I64), codegen


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
    """The nearest int32 of float32 of magnitudes up to `FURTHEST`, of two the even one."""
    value = _clamp(builder, value, _constant(value.type, -FURTHEST), _constant(value.type, FURTHEST))
    result = ir.VectorType(I32, value.type.count)
    return build_call(builder, f"llvm.lrint.v{value.type.count}i32.v{value.type.count}f32", result, [value])


def _narrowed(builder: Any, four: list[Any], zero: Any) -> Any:
    """Four vectors of int32, each plus `zero`, as one of bytes that saturate, pixels in their order."""
    lanes = four[0].type.count
    if (WORDS and lanes == LANE) or (PACKS and lanes == LANE // 2):
        words, bytes_ = ir.VectorType(WORD, 2 * lanes), ir.VectorType(BYTE, 4 * lanes)
        names = ("packssdw.512", "packuswb.512") if lanes == LANE else ("packssdw", "packuswb")
        family = "avx512" if lanes == LANE else "avx2"
        pairs = (build_call(builder, f"llvm.x86.{family}.{names[0]}", words, pair) for pair in (four[:2], four[2:]))
        zeros = _splat(builder, builder.trunc(zero, WORD), 2 * lanes)
        halves = [builder.add(pair, zeros) for pair in pairs]
        return build_call(builder, f"llvm.x86.{family}.{names[1]}", bytes_, halves)
    kind, narrow = four[0].type, ir.VectorType(BYTE, lanes)
    low, high, zeros = _constant(kind, 0), _constant(kind, 255), _splat(builder, zero, lanes)
    a, b, c, d = (builder.trunc(_between(builder, builder.add(v, zeros), low, high, "s"), narrow) for v in four)
    whole = [_shuffle(builder, *pair, list(range(2 * lanes))) for pair in ((a, b), (c, d))]
    return _shuffle(builder, *whole, _order(lanes))


def _order(lanes: int) -> list[int]:
    """For each pixel of a piece, its place among four vectors of `lanes` laid end to end."""
    return [lanes * vector + at + j for at in range(0, lanes, 4) for vector in range(QUAD) for j in range(4)]


def _widened(builder: Any, pixels: Any) -> list[Any]:
    """Bytes as float32, in four vectors, in the order of sums."""
    none = ir.Constant(pixels.type, None)
    quads = _unpack_four(builder, pixels, none, none, none)
    return [builder.uitofp(quad, ir.VectorType(F32, quad.type.count)) for quad in quads]


@intrinsic
def store_outputs(
    typingctx: Any, out: Any, index: Any, step: Any, sums: Any, residual: Any, added: Any, epilogue: Any, channel: Any,
    mask: Any, at: Any,
) -> Any:  # fmt: skip
    """See `reference.bytes.store_outputs`."""
    floats = out.dtype == types.float32

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out_value, start, row_step, total, _, added_value, numbers, first, mask_value, mask_at = args
        size = context.make_array(epilogue)(context, builder, numbers).nitems

        def number(from_end: int) -> Any:
            return builder.load(build_address(context, builder, epilogue, numbers, size, F32, -from_end))

        zero, low, high, residual_zero, residual_scale = (number(5 - i) for i in range(5))
        zero_int, low_int, high_int = (builder.fptosi(each, I32) for each in (zero, low, high))
        vectors = _vectors(builder, sums, total)
        for row in range(sums.rows):
            scale = builder.load(build_address(context, builder, epilogue, numbers, first, F32, row))
            place = builder.add(start, builder.mul(row_step, LONG(row)))
            for pixel, count, vector in _pieces(sums):
                lanes = count // QUAD
                kind, bytes_ = ir.VectorType(F32, lanes), ir.VectorType(BYTE, count)
                begin = row * QUAD * len(sums.pieces) + vector
                values = [
                    builder.fmul(builder.sitofp(each, kind), _splat(builder, scale, lanes))
                    for each in vectors[begin : begin + QUAD]
                ]
                if len(residual):
                    base = build_address(context, builder, added, added_value, place, BYTE)
                    by, less = _splat(builder, residual_scale, lanes), _splat(builder, residual_zero, lanes)
                    terms = _widened(builder, _load(builder, base, bytes_, pixel))
                    values = [
                        builder.fadd(value, builder.fmul(builder.fsub(term, less), by))
                        for value, term in zip(values, terms, strict=True)
                    ]
                if floats:
                    limits = _splat(builder, low, lanes), _splat(builder, high, lanes)
                    a, b, c, d = (_clamp(builder, value, *limits) for value in values)
                    whole = [_shuffle(builder, *pair, list(range(2 * lanes))) for pair in ((a, b), (c, d))]
                    target = build_address(context, builder, out, out_value, place, BYTE, pixel)
                    _save(builder, target, _shuffle(builder, *whole, _order(lanes)), align=4)
                    continue
                result = _narrowed(builder, [_rounded(builder, value) for value in values], zero_int)
                limits = (_splat(builder, builder.trunc(each, BYTE), count) for each in (low_int, high_int))
                result = _between(builder, result, *limits, "u")
                inside = _load(builder, build_address(context, builder, mask, mask_value, mask_at, BYTE), bytes_, pixel)
                zeros = _splat(builder, builder.trunc(zero_int, BYTE), count)
                result = builder.xor(builder.and_(builder.xor(result, zeros), inside), zeros)
                _save(builder, build_address(context, builder, out, out_value, place, BYTE), result, pixel)
        return context.get_dummy_value()

    return types.void(out, I64, I64, sums, residual, added, epilogue, I64, mask, I64), codegen


def _each(builder: Any, first: Any, last: Any, step: int, body: Callable[[Any], None]) -> None:
    """Run `body` for each multiple of `step` from `first` on, below `last`."""
    before = builder.block
    head, inner, done = (builder.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    at = builder.phi(LONG)
    at.add_incoming(first, before)
    builder.cbranch(builder.icmp_signed("<", at, last), inner, done)
    builder.position_at_end(inner)
    body(at)
    at.add_incoming(builder.add(at, LONG(step)), builder.block)
    builder.branch(head)
    builder.position_at_end(done)


def _each_vector(
    builder: Any, count: Any, width: int, body: Callable[[Any], None], rest: Callable[[Any], None]
) -> None:
    """Run `body` for each whole vector of `count` elements, with its first, and `rest` for each element behind them."""
    whole = builder.sub(count, builder.srem(count, LONG(width)))
    _each(builder, LONG(0), whole, width, body)
    _each(builder, whole, count, 1, rest)


@intrinsic
def fill_bytes(typingctx: Any, out: Any, index: Any, count: Any, value: Any) -> Any:
    """See `reference.bytes.fill_bytes`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        start = build_address(context, builder, out, args[0], args[1], BYTE)
        one = builder.trunc(args[3], BYTE)
        vector = _splat(builder, one, HALF)
        _each_vector(
            builder,
            args[2],
            HALF,
            lambda at: _save(builder, builder.gep(start, [at]), vector),
            lambda at: builder.store(one, builder.gep(start, [at])),
        )
        return context.get_dummy_value()

    return types.void(out, I64, I64, I64), codegen


@intrinsic
def copy_bytes(typingctx: Any, x: Any, place: Any, out: Any, index: Any, count: Any) -> Any:
    """See `reference.bytes.copy_bytes`."""
    line = ir.VectorType(BYTE, 2 * HALF)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, x, args[0], args[1], BYTE)
        target = build_address(context, builder, out, args[2], args[3], BYTE)

        last = builder.sub(args[4], LONG(2 * HALF))

        def copied(at: Any) -> None:  # the last vector overlaps the one before it
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            _save(builder, builder.gep(target, [at]), _load(builder, source, line, at))

        _each(builder, LONG(0), args[4], 2 * HALF, copied)
        return context.get_dummy_value()

    return types.void(x, I64, out, I64, I64), codegen


@intrinsic
def store_bytes(typingctx: Any, out: Any, index: Any, x: Any, place: Any, scale: Any, zero: Any, count: Any) -> Any:
    """See `reference.bytes.store_bytes`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out_value, start, x_value, source, by, zero_point, elements = args
        target = build_address(context, builder, out, out_value, start, BYTE)
        origin = build_address(context, builder, x, x_value, source, F32)

        def quantized(at: Any, lanes: int) -> None:
            floats, narrow = ir.VectorType(F32, lanes), ir.VectorType(BYTE, lanes)
            value = builder.load(builder.bitcast(builder.gep(origin, [at]), floats.as_pointer()), align=4)
            value = builder.fmul(value, _splat(builder, by, lanes))
            number = builder.fcmp_ordered("ord", value, value)
            whole = _rounded(builder, builder.select(number, value, _constant(floats, -FURTHEST)))
            whole = builder.add(whole, _splat(builder, builder.trunc(zero_point, I32), lanes))
            whole = _between(builder, whole, _constant(whole.type, 0), _constant(whole.type, 255), "s")
            _save(builder, builder.gep(target, [at]), builder.trunc(whole, narrow))

        _each_vector(builder, elements, LANE, lambda at: quantized(at, LANE), lambda at: quantized(at, 1))
        return context.get_dummy_value()

    return types.void(out, I64, x, I64, types.float32, I64, I64), codegen
