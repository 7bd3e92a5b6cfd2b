"""More vectors of `simd` as Numba intrinsics: sums that slide from lane to lane, and halves that are joined.

The functions are documented in `reference.slide`, which says the same in NumPy.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .types import LANE_IDS, LANES, MASK, VECTOR, build_pack, intrinsic


def _build_between(builder: Any, low: Any, high: Any, first: int) -> Any:
    """The lanes from number `first` on of two vectors laid end to end."""
    return builder.shuffle_vector(low, high, ir.Constant(LANE_IDS, list(range(first, first + LANES))))


def _build_bits(builder: Any, bits: Any) -> Any:
    return builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), MASK)


def _build_slide(builder: Any, value: Any, up: bool, count: int, run: int, bits: Any) -> Any:
    kept, zero = _build_bits(builder, bits), ir.Constant(VECTOR, None)
    vectors = [builder.extract_value(value, i) for i in range(count)]
    slid = []
    for i, vector in enumerate(vectors):
        if up:
            moved = _build_between(builder, vectors[i - 1], vector, LANES - 1)
        else:
            moved = _build_between(builder, vector, vectors[(i + 1) % count], 1)
        edge = (i if up else i + 1) % run == 0
        slid.append(builder.select(kept, moved, zero) if edge else moved)
    return build_pack(builder, slid)


@intrinsic
def slide_up(typingctx: Any, value: Any, run: Any, bits: Any) -> Any:
    """See `reference.slide_up`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _build_slide(builder, args[0], True, value.count, len(run), args[2])

    return value(value, run, types.int64), codegen


@intrinsic
def slide_down(typingctx: Any, value: Any, run: Any, bits: Any) -> Any:
    """See `reference.slide_down`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _build_slide(builder, args[0], False, value.count, len(run), args[2])

    return value(value, run, types.int64), codegen


@intrinsic
def join_halves(typingctx: Any, value: Any) -> Any:
    """See `reference.join_halves`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors, half = [builder.extract_value(args[0], i) for i in range(value.count)], LANES // 2
        joined = []
        for row in range(0, 2 * value.count, 2):
            (above, low), (below, high) = (divmod(r, value.count)[::-1] for r in (row, row + 1))
            lanes = [*range(low * half, low * half + half), *range(LANES + high * half, LANES + high * half + half)]
            joined.append(builder.shuffle_vector(vectors[above], vectors[below], ir.Constant(LANE_IDS, lanes)))
        return build_pack(builder, joined)

    return value(value), codegen
