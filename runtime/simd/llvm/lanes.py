"""The operations of `reference.lanes`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .types import (
    I32,
    I64,
    LANE_IDS,
    LANES,
    VECTOR,
    Vectors,
    build_address,
    build_bits,
    build_call,
    build_greater,
    build_mask,
    build_pack,
    elementwise,
    intrinsic,
)

EVENS, ODDS = (list(range(start, 2 * LANES, 2)) for start in (0, 1))
LOW, HIGH = ([half // 2 + t // 2 + t % 2 * LANES for t in range(LANES)] for half in (0, LANES))


def _evens(builder: Any, low: Any, high: Any) -> Any:
    return builder.shuffle_vector(low, high, ir.Constant(LANE_IDS, list(range(0, 2 * LANES, 2))))


def _odds(builder: Any, low: Any, high: Any) -> Any:
    return builder.shuffle_vector(low, high, ir.Constant(LANE_IDS, list(range(1, 2 * LANES, 2))))


def _build_between(builder: Any, low: Any, high: Any, first: int) -> Any:
    """The lanes from number `first` on of two vectors laid end to end."""
    return builder.shuffle_vector(low, high, ir.Constant(LANE_IDS, list(range(first, first + LANES))))


def _build_slide(builder: Any, value: Any, up: bool, count: int, run: int, bits: Any) -> Any:
    kept, zero = build_bits(builder, bits), ir.Constant(VECTOR, None)
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


def build_shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    """Some lanes of two vectors laid end to end."""
    return builder.shuffle_vector(a, b, ir.Constant(LANE_IDS, lanes))


def _build_picked(builder: Any, vectors: list[Any], picks: list[tuple[int, int]]) -> Any:
    """A vector whose lane t is ``picks[t]``: the number of a vector, and a lane of it."""
    picked = ir.Constant(VECTOR, ir.Undefined)
    for i, vector in enumerate(vectors):
        lanes = [LANES + lane if source == i else t for t, (source, lane) in enumerate(picks)]
        if any(lane >= LANES for lane in lanes):
            picked = build_shuffle(builder, picked, vector, lanes)
    return picked


def _build_apart(builder: Any, vectors: list[Any]) -> list[Any]:
    """Every n-th element of n consecutive vectors, by halves where n is even."""
    n = len(vectors)
    if n > 1 and n % 2 == 0:
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        evens, odds = (
            _build_apart(builder, [build_shuffle(builder, a, b, lanes) for a, b in pairs]) for lanes in (EVENS, ODDS)
        )
        return [vector for pair in zip(evens, odds, strict=True) for vector in pair]
    places = [[divmod(t * n + r, LANES) for t in range(LANES)] for r in range(n)]
    return [_build_picked(builder, vectors, picks) for picks in places]


def _build_together(builder: Any, vectors: list[Any]) -> list[Any]:
    """The way back of `_build_apart`."""
    n = len(vectors)
    if n > 1 and n % 2 == 0:
        halves = (_build_together(builder, vectors[start::2]) for start in (0, 1))
        pairs = list(zip(*halves, strict=True))
        return [build_shuffle(builder, a, b, lanes) for a, b in pairs for lanes in (LOW, HIGH)]
    places = [[((i * LANES + t) % n, (i * LANES + t) // n) for t in range(LANES)] for i in range(n)]
    return [_build_picked(builder, vectors, picks) for picks in places]


@intrinsic
def concat_even(typingctx: Any, low: Any, high: Any) -> Any:
    """See `reference.lanes.concat_even`."""
    return low(low, high), elementwise(_evens, 0)


@intrinsic
def concat_odd(typingctx: Any, low: Any, high: Any) -> Any:
    """See `reference.lanes.concat_odd`."""
    return low(low, high), elementwise(_odds, 0)


@intrinsic
def every(typingctx: Any, step: Any, skip: Any, value: Any) -> Any:
    """See `reference.lanes.every`."""
    numbers = range(min(len(skip), len(step) - 1), value.count, len(step))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return build_pack(builder, [builder.extract_value(args[2], i) for i in numbers])

    return Vectors(len(numbers))(step, skip, value), codegen


@intrinsic
def transpose(typingctx: Any, value: Any) -> Any:
    """See `reference.lanes.transpose`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(LANES)]
        # Rounds swap the off-diagonal quarters of ever smaller squares.
        for size in (8, 4, 2, 1):
            low = [i if not i & size else i - size + LANES for i in range(LANES)]
            high = [i + size if not i & size else i + LANES for i in range(LANES)]
            for i in range(LANES):
                if not i & size:
                    a, b = vectors[i], vectors[i + size]
                    vectors[i] = builder.shuffle_vector(a, b, ir.Constant(LANE_IDS, low))
                    vectors[i + size] = builder.shuffle_vector(a, b, ir.Constant(LANE_IDS, high))
        return build_pack(builder, vectors)

    return value(value), codegen


@intrinsic
def concat_halves(typingctx: Any, value: Any) -> Any:
    """See `reference.lanes.concat_halves`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors, half = [builder.extract_value(args[0], i) for i in range(value.count)], LANES // 2
        joined = []
        for row in range(0, 2 * value.count, 2):
            (above, low), (below, high) = (divmod(r, value.count)[::-1] for r in (row, row + 1))
            lanes = [*range(low * half, low * half + half), *range(LANES + high * half, LANES + high * half + half)]
            joined.append(builder.shuffle_vector(vectors[above], vectors[below], ir.Constant(LANE_IDS, lanes)))
        return build_pack(builder, joined)

    return value(value), codegen


@intrinsic
def slide_up(typingctx: Any, value: Any, run: Any, bits: Any) -> Any:
    """See `reference.lanes.slide_up`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _build_slide(builder, args[0], True, value.count, len(run), args[2])

    return value(value, run, types.int64), codegen


@intrinsic
def slide_down(typingctx: Any, value: Any, run: Any, bits: Any) -> Any:
    """See `reference.lanes.slide_down`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _build_slide(builder, args[0], False, value.count, len(run), args[2])

    return value(value, run, types.int64), codegen


@intrinsic
def slide_1_down(typingctx: Any, tag: Any, value: Any) -> Any:
    """See `reference.lanes.slide_1_down`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = [*range(1, LANES), LANES - 1]
        vectors = [builder.extract_value(args[1], i) for i in range(result.count)]
        return build_pack(builder, [build_shuffle(builder, vector, vector, lanes) for vector in vectors])

    return result(tag, value), codegen


@intrinsic
def load_interleaved(typingctx: Any, tag: Any, step: Any, array: Any, index: Any, low: Any, high: Any) -> Any:
    """See `reference.lanes.load_interleaved`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, value, first, begin, end = args
        vectors = []
        for skip in range(0, len(step) * LANES, LANES):
            low, high = (builder.sub(bound, ir.IntType(64)(skip)) for bound in (begin, end))
            pointer = build_address(context, builder, array, value, first, VECTOR, skip)
            arguments = [pointer, I32(4), build_mask(builder, low, high), ir.Constant(VECTOR, None)]
            vectors.append(build_call(builder, "llvm.masked.load.v16f32.p0", VECTOR, arguments))
        return build_pack(builder, _build_apart(builder, vectors)[: result.count])

    return result(tag, step, array, I64, I64, I64), codegen


@intrinsic
def store_interleaved(typingctx: Any, array: Any, index: Any, end: Any, value: Any) -> Any:
    """See `reference.lanes.store_interleaved`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target, first, stop, vectors = args
        parts = [builder.extract_value(vectors, i) for i in range(value.count)]
        for i, vector in enumerate(_build_together(builder, parts)):
            mask = build_mask(builder, ir.IntType(64)(0), builder.sub(stop, ir.IntType(64)(i * LANES)))
            pointer = build_address(context, builder, array, target, first, VECTOR, i * LANES)
            build_call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), [vector, pointer, I32(4), mask])
        return context.get_dummy_value()

    return types.void(array, I64, I64, value), codegen


@intrinsic
def maximum_pairs(typingctx: Any, tag: Any, low: Any, high: Any) -> Any:
    """See `reference.lanes.maximum_pairs`."""
    size = len(tag)
    evens = [i for i in range(2 * LANES) if not i // size % 2]

    def operation(builder: Any, a: Any, b: Any) -> Any:
        even, odd = (
            builder.shuffle_vector(a, b, ir.Constant(LANE_IDS, [i + skip for i in evens])) for skip in (0, size)
        )
        return build_greater(builder, odd, even)

    pairs = elementwise(operation, 0)
    return low(tag, low, high), lambda context, builder, sig, args: pairs(context, builder, low(low, high), args[1:])


@intrinsic
def maximum_triples(typingctx: Any, value: Any) -> Any:
    """See `reference.lanes.maximum_triples`."""
    result = Vectors((value.count + 1) // 2)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(value.count)]
        pairs = list(zip(vectors[::2], [*vectors[1::2], *vectors[-1:]], strict=False))
        evens = [_evens(builder, *pair) for pair in pairs]
        greater = (build_greater(builder, _odds(builder, *pair), even) for pair, even in zip(pairs, evens, strict=True))
        behind = (_build_between(builder, *pair, 1) for pair in zip(evens, [*evens[1:], evens[-1]], strict=True))
        return build_pack(builder, [build_greater(builder, *both) for both in zip(behind, greater, strict=True)])

    return result(value), codegen
