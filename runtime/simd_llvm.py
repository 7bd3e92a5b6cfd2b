"""The vectors of `simd`, as Numba intrinsics that emit generic LLVM vector instructions.

The functions are documented in `simd_numpy`, which says the same in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.extending import models, register_model

_LANES = 16
_F32, _I32, _BIT = ir.FloatType(), ir.IntType(32), ir.IntType(1)
_VECTOR, _MASK, _LANE_IDS = (ir.VectorType(t, _LANES) for t in (_F32, _BIT, _I32))


class Vectors(types.Type):
    """Type of `count` vectors of 16 float32 each."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Vectors({count})")


@register_model(Vectors)
class _VectorsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Vectors) -> None:
        super().__init__(manager, fe_type, ir.ArrayType(_VECTOR, fe_type.count))


class Indices(types.Type):
    """Type of one vector of 16 int32."""

    def __init__(self) -> None:
        super().__init__(name="Indices")


@register_model(Indices)
class _IndicesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Indices) -> None:
        super().__init__(manager, fe_type, _LANE_IDS)


_indices = Indices()


def intrinsic(function: Callable[..., Any]) -> Any:
    """`numba.extending.intrinsic`, with a type."""
    return extending.intrinsic(function)


def _splat(builder: Any, scalar: Any) -> Any:
    lanes = ir.VectorType(scalar.type, _LANES)
    first = builder.insert_element(ir.Constant(lanes, ir.Undefined), scalar, _I32(0))
    return builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), ir.Constant(_LANE_IDS, [0] * _LANES))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, target: Any, skip: int = 0) -> Any:
    """Pointer to ``array[index + skip]`` as a pointer to `target`."""
    data = context.make_array(array_type)(context, builder, array).data
    element = builder.gep(builder.gep(data, [index]), [ir.IntType(64)(skip)])
    return builder.bitcast(element, target.as_pointer())


def _load(context: Any, builder: Any, array_type: Any, array: Any, index: Any, skip: int = 0) -> Any:
    return builder.load(_address(context, builder, array_type, array, index, _VECTOR, skip), align=4)


def _mask(builder: Any, low: Any, high: Any) -> Any:
    """Lanes ``low <= lane < high``; both int64 values that fit int32."""
    lanes = ir.Constant(_LANE_IDS, list(range(_LANES)))
    first, last = (_splat(builder, builder.trunc(bound, _I32)) for bound in (low, high))
    return builder.and_(builder.icmp_signed(">=", lanes, first), builder.icmp_signed("<", lanes, last))


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call an LLVM intrinsic by its full name."""
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return _call(builder, "llvm.fma.v16f32", _VECTOR, [a, b, c])


def _pack(builder: Any, vectors: list[Any]) -> Any:
    packed = ir.Constant(ir.ArrayType(_VECTOR, len(vectors)), ir.Undefined)
    for i, vector in enumerate(vectors):
        packed = builder.insert_value(packed, vector, i)
    return packed


@intrinsic
def zeros(typingctx: Any, tag: Any) -> Any:
    """See `simd_numpy.zeros`."""
    result = Vectors(len(tag))
    return result(tag), lambda context, builder, sig, args: context.get_value_type(result)(None)


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """See `simd_numpy.get`."""
    result = types.float32 if array.dtype == types.float32 else types.int64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        return context.cast(builder, builder.load(builder.gep(data, [args[1]])), array.dtype, result)

    return result(array, types.int64), codegen


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """See `simd_numpy.put`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.int64, array.dtype), codegen


@intrinsic
def weight(typingctx: Any, codebook: Any, symbols: Any, index: Any) -> Any:
    """See `simd_numpy.weight`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.load(builder.gep(context.make_array(symbols)(context, builder, args[1]).data, [args[2]]))
        if symbols.dtype == types.float32:
            return found
        symbol = builder.zext(found, ir.IntType(64))
        return builder.load(builder.gep(context.make_array(codebook)(context, builder, args[0]).data, [symbol]))

    return types.float32(codebook, symbols, types.int64), codegen


@intrinsic
def load(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `simd_numpy.load`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [_load(context, builder, array, args[1], args[2], _LANES * i) for i in range(result.count)]
        return _pack(builder, vectors)

    return result(tag, array, types.int64), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """See `simd_numpy.store`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(value.count):
            target = _address(context, builder, array, args[0], args[1], _VECTOR, _LANES * i)
            builder.store(builder.extract_value(args[2], i), target, align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), codegen


@intrinsic
def prefetch(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `simd_numpy.prefetch`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(len(tag)):
            line = _address(context, builder, array, args[1], args[2], _VECTOR, _LANES * i)
            _call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(tag, array, types.int64), codegen


@intrinsic
def prefetch_rows(typingctx: Any, tag: Any, array: Any, index: Any, step: Any) -> Any:
    """See `simd_numpy.prefetch_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        for i in range(len(tag)):
            at = builder.add(args[2], builder.mul(args[3], ir.IntType(64)(i)))
            line = _address(context, builder, array, args[1], at, _VECTOR)
            _call(builder, "llvm.prefetch.p0", ir.VoidType(), [line, _I32(1), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(tag, array, types.int64, types.int64), codegen


@intrinsic
def fma(typingctx: Any, acc: Any, factor: Any, array: Any, index: Any) -> Any:
    """See `simd_numpy.fma`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        by = _splat(builder, args[1])
        sums = (builder.extract_value(args[0], i) for i in range(acc.count))
        return _pack(
            builder,
            [
                _fma(builder, by, _load(context, builder, array, args[2], args[3], _LANES * i), s)
                for i, s in enumerate(sums)
            ],
        )

    return acc(acc, types.float32, array, types.int64), codegen


@intrinsic
def fma_rows(
    typingctx: Any, acc: Any, rows: Any, codebook: Any, symbols: Any, first: Any, array: Any, index: Any
) -> Any:
    """See `simd_numpy.fma_rows`."""
    width = acc.count // len(rows)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, _, codebook_value, symbols_value, first_value, array_value, index_value = args
        weight_data = context.make_array(symbols)(context, builder, symbols_value).data
        book_data = context.make_array(codebook)(context, builder, codebook_value).data
        weights = []
        for row in range(len(rows)):
            at = builder.add(first_value, ir.IntType(64)(row))
            by = builder.load(builder.gep(weight_data, [at]))
            if symbols.dtype != types.float32:
                by = builder.load(builder.gep(book_data, [builder.zext(by, ir.IntType(64))]))
            weights.append(_splat(builder, by))
        sums = [builder.extract_value(acc_value, i) for i in range(acc.count)]
        for i in range(width):
            # Column by column, so that one vector of the tile at a time takes a register.
            column = _load(context, builder, array, array_value, index_value, _LANES * i)
            for row, by in enumerate(weights):
                sums[row * width + i] = _fma(builder, by, column, sums[row * width + i])
        return _pack(builder, sums)

    return acc(acc, rows, codebook, symbols, types.int64, array, types.int64), codegen


@intrinsic
def fma_dots(typingctx: Any, acc: Any, rows: Any, a: Any, i: Any, a_step: Any, x: Any, j: Any, x_step: Any) -> Any:
    """See `simd_numpy.fma_dots`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, _, a_value, i_value, a_step_value, x_value, j_value, x_step_value = args

        def run(array: Any, value: Any, start: Any, step: Any, count: int) -> list[Any]:
            at = [builder.add(start, builder.mul(step, ir.IntType(64)(n))) for n in range(count)]
            return [_load(context, builder, array, value, index) for index in at]

        columns = run(a, a_value, i_value, a_step_value, len(rows))
        samples = run(x, x_value, j_value, x_step_value, acc.count // len(rows))
        pairs = [(column, sample) for sample in samples for column in columns]
        return _pack(
            builder, [_fma(builder, c, s, builder.extract_value(acc_value, n)) for n, (c, s) in enumerate(pairs)]
        )

    i64 = types.int64
    return acc(acc, rows, a, i64, i64, x, i64, i64), codegen


@intrinsic
def load_masked(typingctx: Any, array: Any, index: Any, low: Any, high: Any) -> Any:
    """See `simd_numpy.load_masked`."""
    result = Vectors(1)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = _address(context, builder, array, args[0], args[1], _VECTOR)
        mask = _mask(builder, args[2], args[3])
        arguments = [source, _I32(4), mask, ir.Constant(_VECTOR, None)]
        return _pack(builder, [_call(builder, "llvm.masked.load.v16f32.p0", _VECTOR, arguments)])

    return result(array, types.int64, types.int64, types.int64), codegen


@intrinsic
def store_masked(typingctx: Any, array: Any, index: Any, low: Any, high: Any, value: Any) -> Any:
    """See `simd_numpy.store_masked`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target = _address(context, builder, array, args[0], args[1], _VECTOR)
        arguments = [builder.extract_value(args[4], 0), target, _I32(4), _mask(builder, args[2], args[3])]
        _call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64, types.int64, value), codegen


@intrinsic
def load_indices(typingctx: Any, array: Any, index: Any) -> Any:
    """See `simd_numpy.load_indices`."""
    halves = ir.VectorType(ir.IntType(16), _LANES)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        packed = builder.load(_address(context, builder, array, args[0], args[1], halves), align=2)
        return builder.zext(packed, _LANE_IDS)

    return _indices(array, types.int64), codegen


@intrinsic
def shift_right(typingctx: Any, indices: Any, bits: Any) -> Any:
    """See `simd_numpy.shift_right`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.lshr(args[0], _splat(builder, builder.trunc(args[1], _I32)))

    return indices(indices, types.int64), codegen


def _pick(builder: Any, table: list[Any], indices: Any) -> Any:
    """Lane i is element ``indices[i]`` of vectors laid end to end: permutes of two vectors each, then blends by bit."""
    name = "llvm.x86.avx512.vpermi2var.ps.512"
    found = [_call(builder, name, _VECTOR, [a, indices, b]) for a, b in zip(table[::2], table[1::2], strict=True)]
    bit = 2 * _LANES
    while len(found) > 1:
        masked = builder.and_(indices, ir.Constant(_LANE_IDS, [bit] * _LANES))
        upper = builder.icmp_signed("!=", masked, ir.Constant(_LANE_IDS, [0] * _LANES))
        found = [builder.select(upper, high, low) for low, high in zip(found[::2], found[1::2], strict=True)]
        bit *= 2
    return found[0]


@intrinsic
def pick(typingctx: Any, table: Any, indices: Any) -> Any:
    """See `simd_numpy.pick`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(table.count)]
        return _pack(builder, [_pick(builder, vectors, args[1])])

    return Vectors(1)(table, indices), codegen


@intrinsic
def fma_picked(
    typingctx: Any, acc: Any, weights: Any, indices: Any, window: Any, array: Any, index: Any, step: Any
) -> Any:
    """See `simd_numpy.fma_picked`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        acc_value, weights_value, indices_value, _, array_value, first, stride = args
        by = builder.extract_value(weights_value, 0)
        sums = []
        for sample in range(acc.count):
            at = builder.add(first, builder.mul(stride, ir.IntType(64)(sample)))
            table = [_load(context, builder, array, array_value, at, _LANES * i) for i in range(len(window))]
            picked = _pick(builder, table, indices_value)
            sums.append(_fma(builder, by, picked, builder.extract_value(acc_value, sample)))
        return _pack(builder, sums)

    return acc(acc, weights, indices, window, array, types.int64, types.int64), codegen


@intrinsic
def fma_vectors(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """See `simd_numpy.fma_vectors`."""
    return a(a, b, c), _elementwise(_fma, 0)


def _row_masks(builder: Any, count: int, low: Any, high: Any, end: Any, step: Any) -> Iterator[tuple[Any, Any]]:
    """Offset of each row, and its mask: lanes ``low <= lane < min(high, end - offset)``."""
    for row in range(count):
        offset = builder.mul(step, ir.IntType(64)(row))
        left = builder.sub(end, offset)
        # Kept above the least int32: rows may lie far behind the end.
        left = builder.select(builder.icmp_signed(">", left, ir.IntType(64)(0)), left, ir.IntType(64)(0))
        yield offset, _mask(builder, low, builder.select(builder.icmp_signed("<", left, high), left, high))


@intrinsic
def load_rows(typingctx: Any, tag: Any, array: Any, index: Any, step: Any, low: Any, high: Any, end: Any) -> Any:
    """See `simd_numpy.load_rows`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, source, first, stride, low, high, end = args
        vectors = []
        for offset, mask in _row_masks(builder, result.count, low, high, end, stride):
            address = _address(context, builder, array, source, builder.add(first, offset), _VECTOR)
            arguments = [address, _I32(4), mask, ir.Constant(_VECTOR, None)]
            vectors.append(_call(builder, "llvm.masked.load.v16f32.p0", _VECTOR, arguments))
        return _pack(builder, vectors)

    i64 = types.int64
    return result(tag, array, i64, i64, i64, i64, i64), codegen


@intrinsic
def store_rows(typingctx: Any, array: Any, index: Any, step: Any, low: Any, high: Any, end: Any, value: Any) -> Any:
    """See `simd_numpy.store_rows`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        target, first, stride, low, high, end, vectors = args
        for row, (offset, mask) in enumerate(_row_masks(builder, value.count, low, high, end, stride)):
            address = _address(context, builder, array, target, builder.add(first, offset), _VECTOR)
            arguments = [builder.extract_value(vectors, row), address, _I32(4), mask]
            _call(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(array, i64, i64, i64, i64, i64, value), codegen


@intrinsic
def evens(typingctx: Any, low: Any, high: Any) -> Any:
    """See `simd_numpy.evens`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, second = (builder.extract_value(v, 0) for v in args)
        lanes = ir.Constant(_LANE_IDS, list(range(0, 2 * _LANES, 2)))
        return _pack(builder, [builder.shuffle_vector(first, second, lanes)])

    return low(low, high), codegen


@intrinsic
def total(typingctx: Any, value: Any) -> Any:
    """See `simd_numpy.total`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [builder.extract_value(args[0], i) for i in range(value.count)]
        while len(vectors) > 1:
            half = (len(vectors) + 1) // 2
            pairs = [builder.fadd(a, b) for a, b in zip(vectors, vectors[half:], strict=False)]
            vectors = pairs + vectors[len(pairs) : half]
        lanes, width = vectors[0], _LANES
        while width > 1:
            width //= 2
            undefined = ir.Constant(lanes.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(
                    lanes, undefined, ir.Constant(ir.VectorType(_I32, width), list(range(start, start + width)))
                )
                for start in (0, width)
            )
            lanes = builder.fadd(low, high)
        return builder.extract_element(lanes, _I32(0))

    return types.float32(value), codegen


def _elementwise(operation: Callable[..., Any], scalars: int) -> Callable[..., Any]:
    """Code generator of ``operation(builder, vector, *others)``, the last `scalars` arguments broadcast first."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors, others = args[: len(args) - scalars], [_splat(builder, a) for a in args[len(args) - scalars :]]
        return _pack(
            builder,
            [
                operation(builder, *(builder.extract_value(v, i) for v in vectors), *others)
                for i in range(sig.args[0].count)
            ],
        )

    return codegen


@intrinsic
def add(typingctx: Any, a: Any, b: Any) -> Any:
    """See `simd_numpy.add`."""
    return a(a, b), _elementwise(lambda builder, x, y: builder.fadd(x, y), 0)


@intrinsic
def scale_shift(typingctx: Any, value: Any, scale: Any, shift: Any) -> Any:
    """See `simd_numpy.scale_shift`."""
    return value(value, types.float32, types.float32), _elementwise(_fma, 2)


@intrinsic
def maximum(typingctx: Any, value: Any, bound: Any) -> Any:
    """See `simd_numpy.maximum`."""
    # A comparison with NaN is false, so NaN stays.
    return value(value, types.float32), _elementwise(
        lambda builder, x, y: builder.select(builder.fcmp_ordered("<", x, y), y, x), 1
    )


@intrinsic
def minimum(typingctx: Any, value: Any, bound: Any) -> Any:
    """See `simd_numpy.minimum`."""
    return value(value, types.float32), _elementwise(
        lambda builder, x, y: builder.select(builder.fcmp_ordered(">", x, y), y, x), 1
    )
