"""The operations of `reference.byte_runs`, in LLVM instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from ..reference.bytes import HALF
from .byte_types import BYTE, LONG, load_at, splat, store_at
from .types import I32, I64, build_address, build_call, intrinsic


def each(builder: Any, first: Any, last: Any, step: int, body: Callable[[Any], None]) -> None:
    """Run `body` for each multiple of `step` from `first` on, below `last`."""
    before = builder.block
    head, inner, done = (builder.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    at = builder.phi(LONG)
    at.add_incoming(first, before)
    builder.cbranch(builder.icmp_signed("<", at, last), inner, done)
    builder.position_at_end(inner)
    body(at)
    at.add_incoming(builder.add(at, LONG(step)), builder.block)
    builder.branch(head)
    builder.position_at_end(done)


def _covered(builder: Any, count: Any, sizes: Sequence[int], body: Callable[[Any, int], None]) -> None:
    """Run `body` with the first element of vectors that cover `count` elements, and with their size.

    The size is the first of `sizes` that is not greater than `count`; the last of them is 1. The last vector overlaps
    the one before it.
    """
    if sizes[0] == 1:
        each(builder, LONG(0), count, 1, lambda at: body(at, 1))
        return
    with builder.if_else(builder.icmp_signed(">=", count, LONG(sizes[0]))) as (enough, less):
        with enough:
            last = builder.sub(count, LONG(sizes[0]))

            def within(at: Any) -> None:
                body(builder.select(builder.icmp_signed("<", at, last), at, last), sizes[0])

            each(builder, LONG(0), count, sizes[0], within)
        with less:
            _covered(builder, count, sizes[1:], body)


@intrinsic
def fill_bytes(typingctx: Any, out: Any, index: Any, count: Any, value: Any) -> Any:
    """See `reference.byte_runs.fill_bytes`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        start = build_address(context, builder, out, args[0], args[1], BYTE)
        one = builder.trunc(args[3], BYTE)

        def filled(at: Any, size: int) -> None:
            store_at(builder, builder.gep(start, [at]), splat(builder, one, size))

        _covered(builder, args[2], (HALF, 8, 1), filled)
        return context.get_dummy_value()

    return types.void(out, I64, I64, I64), codegen


@intrinsic
def copy_bytes(typingctx: Any, x: Any, place: Any, out: Any, index: Any, count: Any) -> Any:
    """See `reference.byte_runs.copy_bytes`."""
    line = ir.VectorType(BYTE, HALF)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, x, args[0], args[1], BYTE)
        target = build_address(context, builder, out, args[2], args[3], BYTE)

        last = builder.sub(args[4], LONG(HALF))

        def copied(at: Any) -> None:  # the last vector overlaps the one before it
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            store_at(builder, builder.gep(target, [at]), load_at(builder, source, line, at))

        each(builder, LONG(0), args[4], HALF, copied)
        return context.get_dummy_value()

    return types.void(x, I64, out, I64, I64), codegen


def _below(builder: Any, lanes: int, limit: Any) -> Any:
    """Lanes, at most 64, whose number is less than an int32."""
    numbers, most = ir.Constant(ir.VectorType(BYTE, lanes), list(range(lanes))), I32(lanes)
    limit = builder.select(builder.icmp_signed("<", limit, most), limit, most)
    return builder.icmp_signed("<", numbers, splat(builder, builder.trunc(limit, BYTE), lanes))


def _load_first(builder: Any, place: Any, count: Any) -> Any:
    """At most 64 bytes from a place on; those from number `count` on are 0 and not read."""
    line = ir.VectorType(BYTE, 2 * HALF)
    mask, place = _below(builder, line.count, count), builder.bitcast(place, line.as_pointer())
    return build_call(builder, "llvm.masked.load.v64i8.p0", line, [place, I32(1), mask, ir.Constant(line, None)])


def _store_first(builder: Any, place: Any, value: Any, count: Any) -> None:
    """Write the first `count` bytes of a vector."""
    mask, place = _below(builder, value.type.count, count), builder.bitcast(place, value.type.as_pointer())
    name = f"llvm.masked.store.v{value.type.count}i8.p0"
    build_call(builder, name, ir.VoidType(), [value, place, I32(1), mask])


@intrinsic
def copy_every(typingctx: Any, step: Any, x: Any, place: Any, out: Any, index: Any, count: Any) -> Any:
    """See `reference.byte_runs.copy_every`."""
    every = len(step)
    taken = 2 * HALF // every

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, x, args[1], args[2], BYTE)
        target = build_address(context, builder, out, args[3], args[4], BYTE)
        number = builder.trunc(args[5], I32)

        def copied(at: Any) -> None:
            rest = builder.sub(number, builder.trunc(at, I32))
            seen = builder.sub(builder.mul(rest, I32(every)), I32(every - 1))
            loaded = _load_first(builder, builder.gep(source, [builder.mul(at, LONG(every))]), seen)
            _store_first(builder, builder.gep(target, [at]), _each_of(builder, loaded, every), rest)

        each(builder, LONG(0), args[5], taken, copied)
        return context.get_dummy_value()

    return types.void(step, x, I64, out, I64, I64), codegen


@intrinsic
def copy_inside(
    typingctx: Any, x: Any, place: Any, out: Any, index: Any, mask: Any, at: Any, count: Any, zero: Any
) -> Any:  # fmt: skip
    """See `reference.byte_runs.copy_inside`."""
    line = ir.VectorType(BYTE, HALF)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = build_address(context, builder, x, args[0], args[1], BYTE)
        target = build_address(context, builder, out, args[2], args[3], BYTE)
        inside = build_address(context, builder, mask, args[4], args[5], BYTE)
        zeros = splat(builder, builder.trunc(args[7], BYTE), HALF)

        def copied(begin: Any) -> None:
            found, kept = load_at(builder, source, line, begin), load_at(builder, inside, line, begin)
            found = builder.xor(builder.and_(builder.xor(found, zeros), kept), zeros)
            store_at(builder, builder.gep(target, [begin]), found)

        each(builder, LONG(0), args[6], HALF, copied)
        return context.get_dummy_value()

    return types.void(x, I64, out, I64, mask, I64, I64, I64), codegen


@intrinsic
def max_windows(
    typingctx: Any, step: Any, rows: Any, columns: Any, x: Any, place: Any, lines: Any, line: Any, apart: Any,
    out: Any, index: Any, count: Any,
) -> Any:  # fmt: skip
    """See `reference.byte_runs.max_windows`."""
    every = len(step)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, _, x_value, start, lines_value, first, across, out_value, to, number = args
        source = build_address(context, builder, x, x_value, start, BYTE)
        target = build_address(context, builder, out, out_value, to, BYTE)
        places = (build_address(context, builder, lines, lines_value, first, LONG, row) for row in range(len(rows)))
        starts = [builder.gep(source, [builder.load(place)]) for place in places]
        taps = [builder.gep(row, [builder.mul(across, LONG(i))]) for row in starts for i in range(len(columns))]

        def greatest(at: Any, size: int) -> None:
            kind, skip = ir.VectorType(BYTE, every * size), builder.mul(at, LONG(every))
            found, *others = (load_at(builder, tap, kind, skip) for tap in taps)
            for other in others:
                found = build_call(builder, f"llvm.umax.v{kind.count}i8", kind, [found, other])
            store_at(builder, builder.gep(target, [at]), _each_of(builder, found, every))

        sizes = [size // every for size in (2 * HALF, HALF, HALF // 2, HALF // 4) if size >= 2 * every]
        _covered(builder, number, (*sizes, 1), greatest)
        return context.get_dummy_value()

    return types.void(step, rows, columns, x, I64, lines, I64, I64, out, I64, I64), codegen


def _each_of(builder: Any, vector: Any, step: int) -> Any:
    """Each `step`-th byte of a vector, from the first on."""
    if step == 1:
        return vector
    taken = vector.type.count // step
    wide = builder.bitcast(vector, ir.VectorType(ir.IntType(8 * step), taken))
    return builder.trunc(wide, ir.VectorType(BYTE, taken))
