"""The operations of `lanes` in LLVM instructions. Numba knows them once this is imported, which a compilation does.

Vectors are LLVM's own, which become the registers that a processor has. Only `load_weights` and `store_weights` touch
memory; they check no bounds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin, models, register_model, type_callable

from . import lanes
from .lanes import COUNTER_BITS, COUNTER_LANES, FIRST_SHARE, INPUT_LANES, MOST_SEEN, SEEN_BITS

I32, I64 = ir.IntType(32), ir.IntType(64)
COUNTERS, INPUTS = ir.VectorType(I32, COUNTER_LANES), ir.VectorType(I32, INPUT_LANES)
PAIRS, FLOATS = ir.VectorType(I64, INPUT_LANES // 2), ir.VectorType(ir.FloatType(), COUNTER_LANES)
_GREATEST = (1 << COUNTER_BITS) - 1


class Lanes(types.Type):
    """Type of a vector of int32."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Lanes({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Lanes) -> None:
        super().__init__(manager, fe_type, ir.VectorType(I32, fe_type.count))


counters_type, inputs_type = Lanes(COUNTER_LANES), Lanes(INPUT_LANES)
_rows = types.Array(types.int32, 2, "C")


def _lowers(function: Callable[..., Any], result: Any, *arguments: Any) -> Callable[..., Any]:
    """Register the code generator of a function of `lanes`: it takes the builder and the values of the arguments."""

    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        def typed(*given: Any) -> Any:
            return result(*arguments)

        typed.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        type_callable(function)(lambda context: typed)

        @lower_builtin(function, *arguments)  # type: ignore[untyped-decorator]
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            arrays = (
                context.make_array(each)(context, builder, value).data if isinstance(each, types.Array) else value
                for each, value in zip(arguments, args, strict=True)
            )
            built = build(builder, *arrays)
            return context.get_dummy_value() if built is None else built

        return build

    return register


def _all(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _splat(builder: Any, scalar: Any, kind: Any) -> Any:
    """An integer in all lanes."""
    if scalar.type.width > I32.width:
        scalar = builder.trunc(scalar, I32)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(first, first, _all(ir.VectorType(I32, kind.count), 0))


def _pack(builder: Any, scalars: tuple[Any, ...]) -> Any:
    packed = ir.Constant(ir.VectorType(scalars[0].type, len(scalars)), ir.Undefined)
    for number, scalar in enumerate(scalars):
        packed = builder.insert_element(packed, scalar, I32(number))
    return packed


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [each.type for each in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _has_seen(builder: Any, counters: Any) -> Any:
    seen = builder.and_(counters, _all(COUNTERS, MOST_SEEN))
    return builder.icmp_signed("!=", seen, _all(COUNTERS, 0))


@_lowers(lanes.pack_counters, counters_type, *[types.uint32] * COUNTER_LANES)
def _(builder: Any, *counters: Any) -> Any:
    return _pack(builder, counters)


@_lowers(lanes.lane, types.uint32, counters_type, types.int64)
def _(builder: Any, counters: Any, number: Any) -> Any:
    return builder.extract_element(counters, builder.trunc(number, I32))


@_lowers(lanes.begun_counters, counters_type, counters_type, types.uint32)
def _(builder: Any, counters: Any, first: Any) -> Any:
    unseen = _splat(builder, builder.and_(first, I32(~MOST_SEEN)), COUNTERS)
    return builder.select(_has_seen(builder, counters), counters, unseen)


@_lowers(lanes.inputs_of, inputs_type, counters_type, types.int64, types.int64, *[types.int16] * COUNTER_LANES)
def _(builder: Any, counters: Any, base: Any, other: Any, *logits: Any) -> Any:
    above = builder.sub(builder.sext(_pack(builder, logits), COUNTERS), _splat(builder, base, COUNTERS))
    known = builder.select(_has_seen(builder, counters), above, _all(COUNTERS, 0))
    given = builder.insert_element(_all(COUNTERS, 0), builder.trunc(base, I32), I32(0))
    given = builder.insert_element(given, builder.trunc(other, I32), I32(1))
    return builder.shuffle_vector(known, given, ir.Constant(INPUTS, list(range(INPUT_LANES))))


@_lowers(lanes.weighted_sum, types.int64, inputs_type, inputs_type, types.boolean)
def _(builder: Any, weights: Any, inputs: Any, twice: Any) -> Any:
    may = ir.Constant(INPUTS, [int(number in lanes.TWICE) for number in range(INPUT_LANES)])
    inputs = builder.shl(inputs, builder.and_(may, _splat(builder, builder.zext(twice, I64), INPUTS)))
    # The products of even lanes and of odd ones, in 64 bits: LLVM knows these shifts as a widening multiplication.
    pairs, half = [builder.bitcast(each, PAIRS) for each in (weights, inputs)], _all(PAIRS, 32)
    even = builder.mul(*(builder.ashr(builder.shl(each, half), half) for each in pairs))
    odd = builder.mul(*(builder.ashr(each, half) for each in pairs))
    both = builder.add(even, odd)
    # Lanes from `OTHER_LANE + 1` on are zeros. All parts are taken at a time: each step waits for the one before.
    first, *others = [
        builder.shuffle_vector(both, both, ir.Constant(ir.VectorType(I32, 2), [number, number + 1]))
        for number in range(0, lanes.OTHER_LANE // 2 + 1, 2)
    ]
    for part in others:
        first = builder.add(first, part)
    return builder.add(builder.extract_element(first, I32(0)), builder.extract_element(first, I32(1)))


@_lowers(lanes.learned_weights, inputs_type, inputs_type, inputs_type, types.int64)
def _(builder: Any, weights: Any, inputs: Any, step: Any) -> Any:
    moved = builder.mul(inputs, _splat(builder, step, INPUTS))
    moved = builder.ashr(builder.add(moved, _all(INPUTS, 1 << lanes.LEARN_BITS - 1)), _all(INPUTS, lanes.LEARN_BITS))
    moved = builder.add(weights, moved)
    for name, limit in (("smin", lanes.MAX_WEIGHT), ("smax", -lanes.MAX_WEIGHT)):
        moved = _call(builder, f"llvm.{name}.v{INPUT_LANES}i32", INPUTS, moved, _all(INPUTS, limit))
    return moved


@_lowers(lanes.counted, counters_type, counters_type, types.int64)
def _(builder: Any, counters: Any, bit: Any) -> Any:
    # No branch, as bits are a matter of chance.
    zero = _splat(builder, builder.sub(bit, I64(1)), COUNTERS)
    flips = _splat(builder, builder.and_(builder.neg(bit), I64(_GREATEST)), COUNTERS)
    seen = builder.and_(counters, _all(COUNTERS, MOST_SEEN))
    probability = builder.lshr(counters, _all(COUNTERS, SEEN_BITS))
    rounding = builder.and_(builder.add(seen, _all(COUNTERS, FIRST_SHARE - 1)), zero)
    away = builder.add(builder.xor(probability, flips), rounding)
    share = builder.add(seen, _all(COUNTERS, FIRST_SHARE))
    # Exact, although a float has 24 bits: a quotient of integers that is no integer is away from the next one by
    # ``1 / share`` at least, and ``away + share < 2**24``.
    moved = builder.fptosi(builder.fdiv(builder.sitofp(away, FLOATS), builder.sitofp(share, FLOATS)), COUNTERS)
    probability = builder.add(probability, builder.sub(builder.xor(moved, zero), zero))
    most = _all(COUNTERS, MOST_SEEN)
    more = _call(builder, f"llvm.umin.v{COUNTER_LANES}i32", COUNTERS, builder.add(seen, _all(COUNTERS, 1)), most)
    return builder.or_(builder.shl(probability, _all(COUNTERS, SEEN_BITS)), more)


@_lowers(lanes.rarely, types.boolean, types.boolean)
def _(builder: Any, condition: Any) -> Any:
    bit = ir.IntType(1)
    return _call(builder, "llvm.expect.i1", bit, condition, ir.Constant(bit, 0))


def _row(builder: Any, data: Any, row: Any) -> Any:
    first = builder.gep(data, [builder.mul(row, I64(INPUT_LANES))])
    return builder.bitcast(first, INPUTS.as_pointer())


@_lowers(lanes.load_weights, inputs_type, _rows, types.int64)
def _(builder: Any, data: Any, row: Any) -> Any:
    return builder.load(_row(builder, data, row), align=4)


@_lowers(lanes.store_weights, types.none, _rows, types.int64, inputs_type)
def _(builder: Any, data: Any, row: Any, weights: Any) -> None:
    builder.store(weights, _row(builder, data, row), align=4)
