"""The non-zero bytes of a line, with their places: 64 at a time, by an instruction that packs what a mask names.

With ``NUMBA_DISABLE_JIT=1`` it is NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, extending
from numba.core import cgutils, types
from numpy.typing import NDArray

from ...core.cpu import WORDS, has

PICKED = 64
"""Bytes that are looked at in one step, and elements that one may write."""
PICKS = WORDS and has("avx512vbmi2")
"""AVX-512 VBMI2 packs bytes and words. Elsewhere LLVM would store them one by one."""


def _plain(
    line: NDArray[np.uint8], at: np.uint64, indices: NDArray[Any], symbols: NDArray[np.uint8], place: np.uint64
) -> int:
    columns = np.flatnonzero(line[at : at + np.uint64(PICKED)]) + int(at)
    end = place + np.uint64(len(columns))
    indices[place:end], symbols[place:end] = columns, line[columns] - 1
    return len(columns)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _packed(builder: Any, vector: Any, mask: Any) -> Any:
    kind = vector.type
    name = f"llvm.experimental.vector.compress.v{kind.count}i{kind.element.width}"
    return _call(builder, name, kind, vector, mask, ir.Constant(kind, ir.Undefined))


def _vector_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _typed(typing: Any, line: Any, at: Any, indices: Any, symbols: Any, place: Any) -> Any:
    long, half = ir.IntType(64), 512 // indices.dtype.bitwidth
    bytes_, columns = ir.VectorType(ir.IntType(8), PICKED), ir.VectorType(ir.IntType(indices.dtype.bitwidth), half)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line_value, at_value, indices_value, symbols_value, place_value = arguments
        found = builder.load(_vector_at(context, builder, line, line_value, at_value, bytes_), align=1)
        mask = builder.icmp_unsigned("!=", found, ir.Constant(bytes_, None))
        less = builder.sub(_packed(builder, found, mask), ir.Constant(bytes_, [1] * PICKED))
        builder.store(less, _vector_at(context, builder, symbols, symbols_value, place_value, bytes_), align=1)
        bits, empty = builder.bitcast(mask, long), ir.Constant(columns, ir.Undefined)
        base = builder.insert_element(empty, _sized(builder, at_value, columns.element), ir.IntType(32)(0))
        base = builder.shuffle_vector(base, empty, ir.Constant(ir.VectorType(ir.IntType(32), half), [0] * half))
        end = place_value
        for first in range(0, PICKED, half):
            part = builder.trunc(builder.lshr(bits, long(first)), ir.IntType(half))
            numbers = builder.add(base, ir.Constant(columns, list(range(first, first + half))))
            packed = _packed(builder, numbers, builder.bitcast(part, ir.VectorType(ir.IntType(1), half)))
            builder.store(packed, _vector_at(context, builder, indices, indices_value, end, columns), align=1)
            end = builder.add(end, _call(builder, "llvm.ctpop.i64", long, _sized(builder, part, long)))
        return builder.sub(end, place_value)

    return types.uint64(line, types.uint64, indices, symbols, types.uint64), build


def _sized(builder: Any, value: Any, kind: Any) -> Any:
    if value.type.width == kind.width:
        return value
    return builder.trunc(value, kind) if value.type.width > kind.width else builder.zext(value, kind)


pick: Any = _plain if config.DISABLE_JIT else extending.intrinsic(_typed)
"""``pick(line, at, indices, symbols, place)``: the number of non-zero bytes among the `PICKED` from `at` on.

Their places in the line go to `indices` and they, less one, to `symbols`, from `place` on. Whatever the number is,
`PICKED` elements of both may be written. Compiled, it checks nothing.
"""
