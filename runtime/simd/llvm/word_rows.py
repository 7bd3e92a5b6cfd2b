"""The operations of `reference.word_rows`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from ..reference.pairs import PAIR
from .byte_types import constant, dot_words, nearest, splat
from .types import F32, I32, I64, LANES, VECTOR, Vectors, build_address, build_pack, build_splat, intrinsic

SUMS = ir.VectorType(I32, LANES)


class RowSums(types.Type):
    """Type of sums of `count` vectors."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"RowSums({count})")


@register_model(RowSums)
class _RowSumsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: RowSums) -> None:
        super().__init__(manager, fe_type, ir.ArrayType(SUMS, fe_type.count))


@intrinsic
def store_word_pairs(typingctx: Any, out: Any, index: Any, first: Any, second: Any, scale: Any) -> Any:
    """See `reference.word_rows.store_word_pairs`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        by = build_splat(builder, args[4])
        for i in range(first.count):
            vectors = (builder.fmul(builder.extract_value(value, i), by) for value in args[2:4])
            low, high = (nearest(builder, vector) for vector in vectors)
            low, high = builder.and_(low, constant(SUMS, 0xFFFF)), builder.shl(high, constant(SUMS, 16))
            place = build_address(context, builder, out, args[0], args[1], SUMS, PAIR * LANES * i)
            builder.store(builder.or_(low, high), place, align=2)
        return context.get_dummy_value()

    return types.void(out, I64, first, second, types.float32), codegen


@intrinsic
def no_sums(typingctx: Any, tag: Any) -> Any:
    """See `reference.word_rows.no_sums`."""
    result = RowSums(len(tag))
    return result(tag), lambda context, builder, sig, args: context.get_value_type(result)(None)


@intrinsic
def dot_run(typingctx: Any, sums: Any, rows: Any, x: Any, index: Any, weights: Any, first: Any) -> Any:
    """See `reference.word_rows.dot_run`."""
    width = sums.count // len(rows)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        total = [builder.extract_value(args[0], i) for i in range(sums.count)]

        def column_at(i: int) -> Any:
            return builder.load(build_address(context, builder, x, args[2], args[3], SUMS, PAIR * LANES * i), align=2)

        def weights_at(row: int) -> Any:
            two = builder.load(build_address(context, builder, weights, args[4], args[5], I32, PAIR * row), align=2)
            return splat(builder, two, LANES)

        # The fewer of weights and columns are held in registers, and of the others one at a time.
        if width < len(rows):
            columns = [column_at(i) for i in range(width)]
            for row in range(len(rows)):
                by = weights_at(row)
                for i, column in enumerate(columns, row * width):
                    total[i] = dot_words(builder, total[i], column, by)
        else:
            pairs = [weights_at(row) for row in range(len(rows))]
            for i in range(width):
                column = column_at(i)
                for row, by in enumerate(pairs):
                    total[row * width + i] = dot_words(builder, total[row * width + i], column, by)
        return _packed(builder, total)

    return sums(sums, rows, x, I64, weights, I64), codegen


@intrinsic
def dot_points(typingctx: Any, sums: Any, points: Any, x: Any, index: Any, hop: Any, weights: Any, first: Any) -> Any:
    """See `reference.word_rows.dot_points`."""
    run = sums.count // len(points)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, _, x_value, place, step, weights_value, position = args
        total = []
        for point in range(len(points)):
            at = builder.add(place, builder.mul(step, ir.IntType(64)(point)))
            pixels = builder.load(build_address(context, builder, x, x_value, at, SUMS), align=2)
            for i in range(point * run, (point + 1) * run):
                two = builder.load(
                    build_address(context, builder, weights, weights_value, position, I32, PAIR * i), align=2
                )
                total.append(dot_words(builder, builder.extract_value(value, i), pixels, splat(builder, two, LANES)))
        return _packed(builder, total)

    return sums(sums, points, x, I64, I64, weights, I64), codegen


def _packed(builder: Any, vectors: list[Any]) -> Any:
    """Vectors to one `RowSums` value."""
    packed = ir.Constant(ir.ArrayType(SUMS, len(vectors)), ir.Undefined)
    for i, vector in enumerate(vectors):
        packed = builder.insert_value(packed, vector, i)
    return packed


@intrinsic
def float_sums(typingctx: Any, sums: Any) -> Any:
    """See `reference.word_rows.float_sums`."""
    result = Vectors(sums.count)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = (builder.extract_value(args[0], i) for i in range(sums.count))
        return build_pack(builder, [builder.sitofp(vector, VECTOR) for vector in found])

    return result(sums), codegen


@intrinsic
def scaled_sums(typingctx: Any, sums: Any, rows: Any, scales: Any, first: Any, step: Any) -> Any:
    """See `reference.word_rows.scaled_sums`."""
    result, width = Vectors(sums.count), sums.count // len(rows)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = []
        for row in range(len(rows)):
            scale = builder.load(build_address(context, builder, scales, args[2], args[3], F32, row), align=4)
            by = build_splat(builder, builder.fmul(scale, args[4]))
            for i in range(row * width, (row + 1) * width):
                vectors.append(builder.fmul(builder.sitofp(builder.extract_value(args[0], i), VECTOR), by))
        return build_pack(builder, vectors)

    return result(sums, rows, scales, I64, types.float32), codegen
