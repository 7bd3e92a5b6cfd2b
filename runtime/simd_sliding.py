"""More vectors of `simd` as Numba intrinsics: sums that slide from lane to lane.

The functions are documented in `simd_numpy_sliding`, which says the same in NumPy.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .simd_ir import LANE_IDS, LANES, MASK, VECTOR, build_fma, build_load, build_pack, intrinsic


def _build_between(builder: Any, low: Any, high: Any, first: int) -> Any:
    """The lanes from number `first` on of two vectors laid end to end."""
    return builder.shuffle_vector(low, high, ir.Constant(LANE_IDS, list(range(first, first + LANES))))


def _build_bits(builder: Any, bits: Any) -> Any:
    return builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), MASK)


@intrinsic
def slide_up(typingctx: Any, value: Any, run: Any, bits: Any) -> Any:
    """See `simd_numpy_sliding.slide_up`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(value.count)]
        kept, zero = _build_bits(builder, args[2]), ir.Constant(VECTOR, None)
        moved = [_build_between(builder, vectors[i - 1], vectors[i], LANES - 1) for i in range(value.count)]
        return build_pack(builder, [v if i % len(run) else builder.select(kept, v, zero) for i, v in enumerate(moved)])

    return value(value, run, types.int64), codegen


@intrinsic
def slide_down(typingctx: Any, value: Any) -> Any:
    """See `simd_numpy_sliding.slide_down`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(value.count)]
        pairs = zip(vectors, [*vectors[1:], vectors[0]], strict=True)
        return build_pack(builder, [_build_between(builder, low, high, 1) for low, high in pairs])

    return value(value), codegen


@intrinsic
def fma_lanes(typingctx: Any, acc: Any, factor: Any, array: Any, index: Any, run: Any, bits: Any) -> Any:
    """See `simd_numpy_sliding.fma_lanes`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        by, gaining = builder.extract_value(args[1], 0), _build_bits(builder, args[5])
        sums = [builder.extract_value(args[0], i) for i in range(acc.count)]
        for i, before in enumerate(sums):
            column = build_load(context, builder, array, args[2], args[3], LANES * i)
            after = build_fma(builder, by, column, before)
            sums[i] = after if i % len(run) else builder.select(gaining, after, before)
        return build_pack(builder, sums)

    return acc(acc, factor, array, types.int64, run, types.int64), codegen
