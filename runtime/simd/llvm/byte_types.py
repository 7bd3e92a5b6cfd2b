"""Types of sums of products of bytes, and the LLVM instructions that their operations are built from.

A `Sums` value is a struct of vectors of int32: for each row and each piece of 64 or 32 pixels, four of 16 or 8 lanes.
Where the processor has no instruction for a step, generic instructions take its place: they give the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from ..reference.bytes import HALF, QUAD
from .processor import packs, sums_bytes
from .types import I32, build_call

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


def pieces_of(sums: Sums) -> Iterator[tuple[int, int, int]]:
    """First pixel of each piece of a row, its pixels, and the number of its first vector."""
    for number, pixels in enumerate(sums.pieces):
        yield 2 * HALF * number, pixels, QUAD * number


def pack_sums(builder: Any, sums: Sums, vectors: list[Any]) -> Any:
    """Vectors to one `Sums` value."""
    packed = ir.Constant(ir.LiteralStructType(sums.vectors), ir.Undefined)
    for i, vector in enumerate(vectors):
        packed = builder.insert_value(packed, vector, i)
    return packed


def vectors_of(builder: Any, sums: Sums, value: Any) -> list[Any]:
    """The vectors of a `Sums` value."""
    return [builder.extract_value(value, i) for i in range(len(sums.vectors))]


def splat(builder: Any, scalar: Any, lanes: int) -> Any:
    """A scalar in all lanes."""
    kind = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(
        first, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    )


def constant(kind: Any, value: Any) -> Any:
    """A number in all lanes of a vector of a type."""
    return ir.Constant(kind, [value] * kind.count)


def shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    """Lanes of two vectors, laid end to end, in an order."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), order))


def unpack(builder: Any, a: Any, b: Any, upper: int) -> Any:
    """Elements of two vectors by turns: those of the lower or the upper halves of each 128 bits."""
    count = a.type.count
    lane = LANE * 8 // a.type.element.width
    half = lane // 2
    firsts = (i + upper * half + j for i in range(0, count, lane) for j in range(half))
    return shuffle(builder, a, b, [place for i in firsts for place in (i, count + i)])


def unpack_four(builder: Any, a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    """The bytes of four vectors side by side, four to an int32, in four vectors."""
    words, lanes = ir.VectorType(WORD, a.type.count // 2), ir.VectorType(I32, a.type.count // 4)
    quads = []
    for upper in (0, 1):
        ab, cd = (builder.bitcast(unpack(builder, *pair, upper), words) for pair in ((a, b), (c, d)))
        quads += [builder.bitcast(unpack(builder, ab, cd, half), lanes) for half in (0, 1)]
    return quads


def dot(builder: Any, total: Any, x: Any, weights: Any) -> Any:
    """Each int32 gains the products of its four bytes of `x`, unsigned, and of `weights`, signed."""
    lanes = total.type.count
    if sums_bytes():
        bytes_ = ir.VectorType(BYTE, QUAD * lanes)
        name = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}"
        return build_call(
            builder, name, total.type, [total, builder.bitcast(x, bytes_), builder.bitcast(weights, bytes_)]
        )
    words = ir.VectorType(WORD, 2 * lanes)
    x, weights = builder.bitcast(x, words), builder.bitcast(weights, words)
    eight = constant(words, 8)
    total = dot_words(
        *(builder, total, builder.and_(x, constant(words, 255))), builder.ashr(builder.shl(weights, eight), eight)
    )
    return dot_words(builder, total, builder.lshr(x, eight), builder.ashr(weights, eight))


def dot_words(builder: Any, total: Any, x: Any, weights: Any) -> Any:
    """Each int32 gains the products of its two words of `x` and of `weights`, both signed."""
    lanes = total.type.count
    words, wide = ir.VectorType(WORD, 2 * lanes), ir.VectorType(I32, 2 * lanes)
    # Compilers know this form as one instruction, a multiply-add of pairs of words.
    a, b = (builder.sext(builder.bitcast(each, words), wide) for each in (x, weights))
    products = builder.mul(a, b)
    even, odd = (shuffle(builder, products, products, list(range(i, 2 * lanes, 2))) for i in (0, 1))
    return builder.add(total, builder.add(even, odd))


def nearest(builder: Any, value: Any) -> Any:
    """The nearest int32 of vectors of float32 of a magnitude below 2^22, of two the even one."""
    result = ir.VectorType(I32, value.type.count)
    if packs():
        return build_call(builder, f"llvm.lrint.v{value.type.count}i32.v{value.type.count}f32", result, [value])
    # Elsewhere that may be a call for each lane. Beyond 1.5 * 2^23 the last bit of a float32 is worth 1.
    moved = builder.bitcast(builder.fadd(value, constant(value.type, 1.5 * 2**23)), result)
    return builder.sub(moved, constant(result, 0x4B400000))


def load_at(builder: Any, start: Any, kind: Any, skip: Any = 0, align: int = 1) -> Any:
    """A vector `skip` bytes behind a pointer to bytes."""
    skip = LONG(skip) if isinstance(skip, int) else skip
    return builder.load(builder.bitcast(builder.gep(start, [skip]), kind.as_pointer()), align=align)


def store_at(builder: Any, start: Any, value: Any, skip: int = 0, align: int = 1) -> None:
    """Write a vector `skip` bytes behind a pointer to bytes."""
    builder.store(value, builder.bitcast(builder.gep(start, [LONG(skip)]), value.type.as_pointer()), align=align)
