"""The operations of `reference.stream`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from ..reference.stream import SYMBOL_BITS
from .types import (
    I32,
    I64,
    VECTOR,
    Vectors,
    build_call,
    build_pack,
    build_splat,
    intrinsic,
)

LONG = ir.IntType(64)


def _build_word(context: Any, builder: Any, words: Any, value: Any, index: Any) -> Any:
    """Word `index`, of 32 bits; one load serves both its offset and its symbol."""
    data = context.make_array(words)(context, builder, value).data
    if words.dtype != types.uint8:
        return builder.zext(builder.load(builder.gep(data, [index])), I32)
    at = builder.gep(data, [builder.mul(index, LONG(3))])
    return builder.load(builder.bitcast(at, I32.as_pointer()), align=1)


def _build_offset(builder: Any, words: Any, word: Any) -> Any:
    if words.dtype == types.uint16:
        word = builder.lshr(builder.and_(word, I32(0xFFFF)), I32(SYMBOL_BITS))
    elif words.dtype == types.uint8:
        word = builder.and_(word, I32(0xFFFF))
    return builder.zext(word, LONG)


def _build_weight(
    context: Any, builder: Any, words: Any, values: Any, book: Any, arguments: Any, word: Any, index: Any
) -> Any:
    if words.dtype == types.uint16:
        if book.count:  # the instruction looks at the lowest 5 bits alone
            low, high = (builder.extract_value(arguments[1], i) for i in range(2))
            name, lanes = "llvm.x86.avx512.vpermi2var.ps.512", build_splat(builder, word)
            return build_pack(builder, [build_call(builder, name, VECTOR, [low, lanes, high])])
        index = builder.zext(builder.and_(word, I32((1 << SYMBOL_BITS) - 1)), LONG)
    elif words.dtype == types.uint8:
        index = builder.zext(builder.and_(builder.lshr(word, I32(16)), I32(0xFF)), LONG)
    found = builder.load(builder.gep(context.make_array(values)(context, builder, arguments[0]).data, [index]))
    return build_pack(builder, [build_splat(builder, found)])


def _build_one(context: Any, builder: Any, words: Any, value: Any, four: Any, place: Any) -> tuple[Any, Any]:
    """Word number `place` of four, and, where it is of no use, its index."""
    if words.dtype == types.uint16:
        return builder.trunc(builder.lshr(four, builder.mul(place, LONG(16))), I32), None
    index = builder.add(four, place)
    return _build_word(context, builder, words, value, index), index


@intrinsic
def word_offset(typingctx: Any, words: Any, index: Any) -> Any:
    """See `reference.stream.word_offset`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _build_offset(builder, words, _build_word(context, builder, words, *args))

    return I64(words, I64), codegen


@intrinsic
def word_weight(typingctx: Any, words: Any, values: Any, book: Any, index: Any) -> Any:
    """See `reference.stream.word_weight`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word = _build_word(context, builder, words, args[0], args[3])
        return _build_weight(context, builder, words, values, book, args[1:3], word, args[3])

    return Vectors(1)(words, values, book, I64), codegen


@intrinsic
def four_words(typingctx: Any, words: Any, index: Any) -> Any:
    """See `reference.stream.four_words`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if words.dtype != types.uint16:
            return args[1]
        data = context.make_array(words)(context, builder, args[0]).data
        return builder.load(builder.bitcast(builder.gep(data, [args[1]]), LONG.as_pointer()), align=2)

    return I64(words, I64), codegen


@intrinsic
def four_offset(typingctx: Any, words: Any, four: Any, place: Any) -> Any:
    """See `reference.stream.four_offset`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _build_offset(builder, words, _build_one(context, builder, words, *args)[0])

    return I64(words, I64, I64), codegen


@intrinsic
def four_weight(typingctx: Any, words: Any, values: Any, book: Any, four: Any, place: Any) -> Any:
    """See `reference.stream.four_weight`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word, index = _build_one(context, builder, words, args[0], args[3], args[4])
        return _build_weight(context, builder, words, values, book, args[1:3], word, index)

    return Vectors(1)(words, values, book, I64, I64), codegen
