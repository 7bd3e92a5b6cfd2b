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
_HALF = PICKED // 2
"""Elements that are written at a time: stores take longer than all else, and few lines are half full."""
PICKS = WORDS and has("avx512vbmi2")
"""AVX-512 VBMI2 packs bytes and words. Elsewhere LLVM would store them one by one."""


def _plain(
    line: NDArray[np.uint8], at: np.uint64, indices: NDArray[Any], symbols: NDArray[np.uint8], place: np.uint64
) -> int:
    columns = np.flatnonzero(line[at : at + np.uint64(PICKED)]) + int(at)
    end = place + np.uint64(len(columns))
    indices[place:end], symbols[place:end] = columns, line[columns] - 1
    line[columns] = 0
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


def _numbered(builder: Any, packed: Any, base: Any) -> Any:
    """Bytes, each plus a base of another width."""
    kind = ir.VectorType(base.type, packed.type.count)
    empty, zeros = ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
    bases = builder.shuffle_vector(builder.insert_element(empty, base, ir.IntType(32)(0)), empty, zeros)
    return builder.add(builder.zext(packed, kind), bases)


def _typed(typing: Any, line: Any, at: Any, indices: Any, symbols: Any, place: Any) -> Any:
    long, column = ir.IntType(64), ir.IntType(indices.dtype.bitwidth)
    bytes_ = ir.VectorType(ir.IntType(8), PICKED)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line_value, at_value, indices_value, symbols_value, place_value = arguments
        here = _vector_at(context, builder, line, line_value, at_value, bytes_)
        found = builder.load(here, align=1)
        builder.store(ir.Constant(bytes_, None), here, align=1)
        mask = builder.icmp_unsigned("!=", found, ir.Constant(bytes_, None))
        less = builder.sub(_packed(builder, found, mask), ir.Constant(bytes_, [1] * PICKED))
        numbers = _packed(builder, ir.Constant(bytes_, list(range(PICKED))), mask)
        count = _call(builder, "llvm.ctpop.i64", long, builder.bitcast(mask, long))

        def store(first: int) -> None:
            half = ir.Constant(ir.VectorType(ir.IntType(32), _HALF), list(range(first, first + _HALF)))
            to = builder.add(place_value, long(first))
            for array, values, vector in ((symbols, symbols_value, less), (indices, indices_value, numbers)):
                part = builder.shuffle_vector(vector, vector, half)
                if vector is numbers:
                    part = _numbered(builder, part, _sized(builder, at_value, column))
                builder.store(part, _vector_at(context, builder, array, values, to, part.type), align=1)

        store(0)
        with builder.if_then(builder.icmp_unsigned(">", count, long(_HALF)), likely=False):
            store(_HALF)
        return count

    return types.uint64(line, types.uint64, indices, symbols, types.uint64), build


def _sized(builder: Any, value: Any, kind: Any) -> Any:
    if value.type.width == kind.width:
        return value
    return builder.trunc(value, kind) if value.type.width > kind.width else builder.zext(value, kind)


pick: Any = _plain if config.DISABLE_JIT else extending.intrinsic(_typed)
"""``pick(line, at, indices, symbols, place)``: the number of non-zero bytes among the `PICKED` from `at` on.

Their places in the line go to `indices` and they, less one, to `symbols`, from `place` on; in the line they become
zero. Whatever the number is, `PICKED` elements of both may be written. Compiled, it checks nothing.
"""
