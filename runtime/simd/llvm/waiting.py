"""The operations of `reference.waiting`, in LLVM instructions."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core import types

from .types import build_address, build_call, intrinsic

_X86 = platform.machine() in ("x86_64", "AMD64")


@intrinsic
def peek(typingctx: Any, flags: Any, place: Any) -> Any:
    """See `reference.waiting.peek`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = build_address(context, builder, flags, args[0], args[1], ir.IntType(64))
        return builder.load_atomic(address, "acquire", 8)

    return types.int64(flags, types.int64), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """See `reference.waiting.pause`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _X86:
            build_call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(), codegen
