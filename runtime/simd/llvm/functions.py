"""The operations of `reference.functions`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .processor import scales
from .types import (
    F32,
    I32,
    LANES,
    VECTOR,
    Vectors,
    build_call,
    build_fma,
    build_pack,
    build_splat,
    elementwise,
    intrinsic,
)

_WORDS = ir.VectorType(I32, LANES)
_AS_IS = 4
"""Rounding as the processor is set to."""


def _words(number: int) -> Any:
    return ir.Constant(_WORDS, [number] * LANES)


def _numbers(number: float) -> Any:
    return ir.Constant(VECTOR, [F32(number)] * LANES)


def _select(comparison: str) -> Any:
    """One of two numbers, lane by lane, by a comparison that NaN fails."""

    def select(builder: Any, x: Any, y: Any, yes: Any, no: Any) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, x, y), yes, no)

    return elementwise(select, 0)


@intrinsic
def splat(typingctx: Any, tag: Any, value: Any) -> Any:
    """See `reference.functions.splat`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return build_pack(builder, [build_splat(builder, args[1])] * result.count)

    return result(tag, types.float32), codegen


@intrinsic
def subtract(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.functions.subtract`."""
    return a(a, b), elementwise(lambda builder, x, y: builder.fsub(x, y), 0)


@intrinsic
def multiply(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.functions.multiply`."""
    return a(a, b), elementwise(lambda builder, x, y: builder.fmul(x, y), 0)


@intrinsic
def divide(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.functions.divide`."""
    return a(a, b), elementwise(lambda builder, x, y: builder.fdiv(x, y), 0)


def _lesser(builder: Any, a: Any, b: Any) -> Any:
    smaller = builder.select(builder.fcmp_ordered("<", a, b), a, b)
    return builder.select(builder.fcmp_unordered("uno", a, a), a, smaller)


@intrinsic
def minimum(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.functions.minimum`."""
    return a(a, b), elementwise(_lesser, 0)


def _function(name: str) -> Any:
    return elementwise(lambda builder, *args: build_call(builder, f"llvm.{name}.v16f32", VECTOR, list(args)), 0)


@intrinsic
def square_root(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.square_root`."""
    return a(a), _function("sqrt")


def _in_float64(name: str) -> Any:
    """A function of C's library, lane by lane."""
    wide = ir.VectorType(ir.DoubleType(), LANES)

    def call(builder: Any, *args: Any) -> Any:
        found = build_call(builder, f"llvm.{name}.v16f64", wide, [builder.fpext(arg, wide) for arg in args])
        return builder.fptrunc(found, VECTOR)

    return elementwise(call, 0)


@intrinsic
def power(typingctx: Any, a: Any, b: Any) -> Any:
    """See `reference.functions.power`."""
    return a(a, b), _in_float64("pow")


@intrinsic
def sine(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.sine`."""
    return a(a), _in_float64("sin")


@intrinsic
def cosine(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.cosine`."""
    return a(a), _in_float64("cos")


@intrinsic
def absolute(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.absolute`."""
    return a(a), _function("fabs")


@intrinsic
def copy_sign(typingctx: Any, a: Any, sign: Any) -> Any:
    """See `reference.functions.copy_sign`."""
    return a(a, sign), _function("copysign")


@intrinsic
def floor(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.floor`."""
    return a(a), _function("floor")


@intrinsic
def round_even(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.round_even`."""
    return a(a), _function("rint")


@intrinsic
def select_equal(typingctx: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    """See `reference.functions.select_equal`."""
    return a(a, b, yes, no), _select("==")


@intrinsic
def select_less(typingctx: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
    """See `reference.functions.select_less`."""
    return a(a, b, yes, no), _select("<")


@intrinsic
def polynomial(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """See `reference.functions.polynomial`."""
    count = len(coefficients)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        by = [build_splat(builder, builder.extract_value(args[1], i)) for i in range(count)]
        totals = []
        for i in range(x.count):
            at, total = builder.extract_value(args[0], i), by[0]
            for coefficient in by[1:]:
                total = build_fma(builder, total, at, coefficient)
            totals.append(total)
        return build_pack(builder, totals)

    return x(x, coefficients), codegen


def _power_of_two(builder: Any, n: Any) -> Any:
    words = builder.bitcast(builder.fadd(n, _numbers((3 << 22) + 127)), _WORDS)
    return builder.bitcast(builder.shl(words, _words(23)), VECTOR)


@intrinsic
def power_of_two(typingctx: Any, n: Any) -> Any:
    """See `reference.functions.power_of_two`."""
    return n(n), elementwise(_power_of_two, 0)


def _scaled(builder: Any, x: Any, n: Any) -> Any:
    if scales():
        arguments = [x, n, x, ir.IntType(LANES)(-1), I32(_AS_IS)]
        return build_call(builder, "llvm.x86.avx512.mask.scalef.ps.512", VECTOR, arguments)
    # By half of the power twice: 2 ** n itself may be out of range.
    half = build_call(builder, "llvm.rint.v16f32", VECTOR, [builder.fmul(n, _numbers(0.5))])
    scaled = builder.fmul(x, _power_of_two(builder, half))
    return builder.fmul(scaled, _power_of_two(builder, builder.fsub(n, half)))


@intrinsic
def scale_by_power(typingctx: Any, x: Any, n: Any) -> Any:
    """See `reference.functions.scale_by_power`."""
    return x(x, n), elementwise(_scaled, 0)


@intrinsic
def exponent(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.exponent`."""

    def power(builder: Any, x: Any) -> Any:
        words = builder.ashr(builder.bitcast(x, _WORDS), _words(23))
        return builder.sitofp(builder.sub(words, _words(126)), VECTOR)

    return a(a), elementwise(power, 0)


@intrinsic
def mantissa(typingctx: Any, a: Any) -> Any:
    """See `reference.functions.mantissa`."""

    def fraction(builder: Any, x: Any) -> Any:
        words = builder.and_(builder.bitcast(x, _WORDS), _words(0x007FFFFF))
        return builder.bitcast(builder.or_(words, _words(0x3F000000)), VECTOR)

    return a(a), elementwise(fraction, 0)
