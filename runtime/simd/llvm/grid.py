"""The operations of `reference.grid`, in LLVM instructions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import product
from typing import Any

from llvmlite import ir
from numba.core import types

from .types import (
    I64,
    LANES,
    VECTOR,
    Vectors,
    build_address,
    build_fma,
    build_greater,
    build_load,
    build_pack,
    intrinsic,
)


def _places(
    context: Any, builder: Any, array: Any, value: Any, first: Any, pitch: Any, rows: int, count: int
) -> Iterator[Any]:
    """Pointers to the vectors of a grid, row by row."""
    for row in range(rows):
        start = builder.add(first, builder.mul(pitch, ir.IntType(64)(row)))
        for column in range(count // rows):
            yield build_address(context, builder, array, value, start, VECTOR, LANES * column)


@intrinsic
def load_grid(typingctx: Any, tag: Any, rows: Any, array: Any, index: Any, pitch: Any) -> Any:
    """See `reference.grid.load_grid`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, value, first, step = args
        places = _places(context, builder, array, value, first, step, len(rows), result.count)
        return build_pack(builder, [builder.load(place, align=4) for place in places])

    return result(tag, rows, array, I64, I64), codegen


@intrinsic
def store_grid(typingctx: Any, rows: Any, array: Any, index: Any, pitch: Any, value: Any) -> Any:
    """See `reference.grid.store_grid`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, target, first, step, vectors = args
        places = _places(context, builder, array, target, first, step, len(rows), value.count)
        for i, place in enumerate(places):
            builder.store(builder.extract_value(vectors, i), place, align=4)
        return context.get_dummy_value()

    return types.void(rows, array, I64, I64, value), codegen


@intrinsic
def fma_grid(typingctx: Any, acc: Any, rows: Any, factor: Any, array: Any, index: Any, pitch: Any) -> Any:
    """See `reference.grid.fma_grid`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, _, by, value, first, step = args
        by = builder.extract_value(by, 0)
        places = _places(context, builder, array, value, first, step, len(rows), acc.count)
        sums = (builder.extract_value(acc_value, i) for i in range(acc.count))
        return build_pack(
            builder, [build_fma(builder, by, builder.load(p, align=4), s) for p, s in zip(places, sums, strict=True)]
        )

    return acc(acc, rows, factor, array, I64, I64), codegen


@intrinsic
def fma_shifted(
    typingctx: Any, acc: Any, rows: Any, up: Any, down: Any, left: Any, right: Any, factor: Any, array: Any, index: Any
) -> Any:
    """See `reference.grid.fma_shifted`."""
    height, width = len(rows), acc.count // len(rows)
    y, x = len(down) - len(up), len(right) - len(left)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums, by = args[0], builder.extract_value(args[6], 0)
        for row, column in product(range(height), range(width)):
            if 0 <= row + y < height and 0 <= column + x < width:
                i, skip = row * width + column, LANES * ((row + y) * width + column + x)
                pixel = build_load(context, builder, array, args[7], args[8], skip)
                total = build_fma(builder, by, pixel, builder.extract_value(sums, i))
                sums = builder.insert_value(sums, total, i)
        return sums

    return acc(acc, rows, up, down, left, right, factor, array, I64), codegen


@intrinsic
def max_pool_grid(typingctx: Any, rows: Any, value: Any) -> Any:
    """See `reference.grid.max_pool_grid`."""
    height, width = len(rows), value.count // len(rows)
    result = Vectors(-(-height // 2) * -(-width // 2))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pooled = []
        for row, column in product(range(0, height, 2), range(0, width, 2)):
            pixels = product(range(row, min(row + 2, height)), range(column, min(column + 2, width)))
            window = [builder.extract_value(args[1], r * width + c) for r, c in pixels]
            pooled.append(reduce(lambda a, b: build_greater(builder, b, a), window))
        return build_pack(builder, pooled)

    return result(rows, value), codegen
