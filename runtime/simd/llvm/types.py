"""Types of the vectors of `simd` for Numba, and the LLVM instructions that its intrinsics are built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.extending import models, register_model

from ....core.jit import current
from .processor import has_masks, replaces

LANES = 16
I64 = types.int64
F32, I32, BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)
FIX_NAN = 0x11
"""For `vfixupimmps`: of a quiet NaN and of a signalling one the second operand is taken, else the first."""
VECTOR, MASK, LANE_IDS = (ir.VectorType(t, LANES) for t in (F32, BIT, I32))


class Vectors(types.Type):
    """Type of `count` vectors of 16 float32 each."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Vectors({count})")


@register_model(Vectors)
class _VectorsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Vectors) -> None:
        super().__init__(manager, fe_type, ir.ArrayType(VECTOR, fe_type.count))


def intrinsic(function: Callable[..., Any]) -> Any:
    """`numba.extending.intrinsic`, with a type."""
    return extending.intrinsic(function)


def build_splat(builder: Any, scalar: Any) -> Any:
    """A scalar in all lanes."""
    lanes = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(lanes, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), ir.Constant(LANE_IDS, [0] * LANES))


def build_address(
    context: Any, builder: Any, array_type: Any, array: Any, index: Any, target: Any, skip: int = 0
) -> Any:
    """Pointer to ``array[index + skip]`` as a pointer to `target`."""
    data = context.make_array(array_type)(context, builder, array).data
    element = builder.gep(builder.gep(data, [index]), [ir.IntType(64)(skip)])
    return builder.bitcast(element, target.as_pointer())


def build_load(context: Any, builder: Any, array_type: Any, array: Any, index: Any, skip: int = 0) -> Any:
    """The vector at ``array[index + skip]``."""
    return builder.load(build_address(context, builder, array_type, array, index, VECTOR, skip), align=4)


def build_mask(builder: Any, low: Any, high: Any) -> Any:
    """Lanes ``low <= lane < high``; both int64 values that fit int32."""
    lanes = ir.Constant(LANE_IDS, list(range(LANES)))
    first, last = (build_splat(builder, builder.trunc(bound, I32)) for bound in (low, high))
    return builder.and_(builder.icmp_signed(">=", lanes, first), builder.icmp_signed("<", lanes, last))


def build_bits(builder: Any, bits: Any) -> Any:
    """The mask whose lanes are the lowest bits of an integer of at least 16."""
    bits = builder.trunc(bits, ir.IntType(LANES)) if bits.type.width > LANES else bits
    if has_masks():
        return builder.bitcast(bits, MASK)
    # LLVM would move one bit at a time.
    own = ir.Constant(LANE_IDS, [1 << lane for lane in range(LANES)])
    return builder.icmp_signed("==", builder.and_(build_splat(builder, builder.zext(bits, I32)), own), own)


def build_call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call an LLVM intrinsic by its full name."""
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def build_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the processor can."""
    if (processor := current()) is not None and not processor.fuses:
        return builder.fadd(builder.fmul(a, b), c)
    return build_call(builder, "llvm.fma.v16f32", VECTOR, [a, b, c])


def build_pack(builder: Any, vectors: list[Any]) -> Any:
    """Vectors to one `Vectors` value."""
    packed = ir.Constant(ir.ArrayType(VECTOR, len(vectors)), ir.Undefined)
    for i, vector in enumerate(vectors):
        packed = builder.insert_value(packed, vector, i)
    return packed


def build_row_masks(builder: Any, count: int, low: Any, high: Any, end: Any, step: Any) -> Iterator[tuple[Any, Any]]:
    """Offset of each row, and its mask: lanes ``low <= lane < min(high, end - offset)``; `end` may be None."""
    mask = build_mask(builder, low, high)
    for row in range(count):
        offset = builder.mul(step, ir.IntType(64)(row))
        if end is not None:
            left = builder.sub(end, offset)
            # Kept above the least int32: rows may lie far behind the end.
            left = builder.select(builder.icmp_signed(">", left, ir.IntType(64)(0)), left, ir.IntType(64)(0))
            mask = build_mask(builder, low, builder.select(builder.icmp_signed("<", left, high), left, high))
        yield offset, mask


def elementwise(operation: Callable[..., Any], scalars: int) -> Callable[..., Any]:
    """Code generator of ``operation(builder, vector, *others)``, the last `scalars` arguments broadcast first."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors, others = args[: len(args) - scalars], [build_splat(builder, a) for a in args[len(args) - scalars :]]
        return build_pack(
            builder,
            [
                operation(builder, *(builder.extract_value(v, i) for v in vectors), *others)
                for i in range(sig.args[0].count)
            ],
        )

    return codegen


def build_greater(builder: Any, a: Any, b: Any) -> Any:
    """The greater of two vectors, lane by lane; NaN wins."""
    # The first select is one instruction on x86, which gives b if either is NaN.
    larger = builder.select(builder.fcmp_ordered(">", a, b), a, b)
    if replaces():  # the second too: what is no number in a stays, everything else is that of the first
        table, everywhere, rounding = ir.Constant(LANE_IDS, [FIX_NAN] * LANES), ir.IntType(LANES)(-1), I32(4)
        arguments = [larger, a, table, I32(0), everywhere, rounding]
        return build_call(builder, "llvm.x86.avx512.mask.fixupimm.ps.512", VECTOR, arguments)
    return builder.select(builder.fcmp_unordered("uno", a, a), a, larger)
