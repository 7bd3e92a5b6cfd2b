"""The operations of `reference.window`, in LLVM instructions."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .types import F32, I64, Vectors, build_address, build_fma, build_load, build_pack, build_splat, intrinsic


@intrinsic
def spread(typingctx: Any, tag: Any, array: Any, index: Any) -> Any:
    """See `reference.window.spread`."""
    result = Vectors(len(tag))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        places = [build_address(context, builder, array, args[1], args[2], F32, i) for i in range(result.count)]
        return build_pack(builder, [build_splat(builder, builder.load(place)) for place in places])

    return result(tag, array, I64), codegen


@intrinsic
def fma_window(
    typingctx: Any, acc: Any, weights: Any, columns: Any, step: Any, array: Any, index: Any, pitch: Any
) -> Any:
    """See `reference.window.fma_window`."""
    kw, s = len(columns), len(step)
    kh, long = weights.count // kw, ir.IntType(64)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sums = [builder.extract_value(args[0], r) for r in range(acc.count)]
        taps = [builder.extract_value(args[1], tap) for tap in range(weights.count)]
        image, first, row_step = args[4:]
        phase_step = builder.sdiv(row_step, long(s)) if s > 1 else row_step
        for y in range((acc.count - 1) * s + kh):
            row = builder.add(first, builder.mul(row_step, long(y)))
            for kx in range(kw):
                start = builder.add(row, builder.mul(phase_step, long(kx % s)))
                pixels = build_load(context, builder, array, image, start, kx // s)
                for r in range(acc.count):
                    if 0 <= y - r * s < kh:
                        sums[r] = build_fma(builder, taps[(y - r * s) * kw + kx], pixels, sums[r])
        return build_pack(builder, sums)

    return acc(acc, weights, columns, step, array, I64, I64), codegen
