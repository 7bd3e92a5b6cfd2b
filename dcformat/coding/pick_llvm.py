"""`pick.pick` in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

from .pick import PICKED, WRITTEN


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


@extending.intrinsic  # type: ignore[untyped-decorator]
def pick(typing: Any, line: Any, at: Any, indices: Any, symbols: Any, place: Any) -> Any:
    """See `pick.plain_pick`."""
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

        def store_from(first: int) -> None:
            after = first + WRITTEN
            numbers_of_part = ir.Constant(ir.VectorType(ir.IntType(32), WRITTEN), list(range(first, after)))
            to = builder.add(place_value, long(first))
            for array, values, vector in ((symbols, symbols_value, less), (indices, indices_value, numbers)):
                part = builder.shuffle_vector(vector, vector, numbers_of_part)
                if vector is numbers:
                    part = _numbered(builder, part, _sized(builder, at_value, column))
                builder.store(part, _vector_at(context, builder, array, values, to, part.type), align=1)

            if after < PICKED:
                with builder.if_then(builder.icmp_unsigned(">", count, long(after)), likely=False):
                    store_from(after)

        store_from(0)
        return count

    return types.uint64(line, types.uint64, indices, symbols, types.uint64), build


def _sized(builder: Any, value: Any, kind: Any) -> Any:
    if value.type.width == kind.width:
        return value
    return builder.trunc(value, kind) if value.type.width > kind.width else builder.zext(value, kind)
