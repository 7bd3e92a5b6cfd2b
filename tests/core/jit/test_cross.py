"""Code for other processors: what of Numba it needs is there, and the instructions are the other processor's."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest

from dcz.core.jit import Processor, compiled, current, inner
from dcz.core.jit.cross import make_object
from dcz.core.jit.processor import compiling_for

ARM = Processor("aarch64-unknown-linux-gnu", "generic", "+neon")
CALL = """
declare i32 @double(ptr, ptr, double)
define double @entry(double %x) {
  %result = alloca double
  %error = alloca ptr
  call i32 @double(ptr %result, ptr %error, double %x)
  %y = load double, ptr %result
  ret double %y
}
define i32 @unseen() {
  ret i32 0
}
"""


@inner
def _twice(x: float) -> float:
    return 2.0 * x


def _kernel(x: float) -> float:
    return float(_twice(x)) + (0.0 if x > 0 else 1.0)


def test_an_object_is_of_the_other_machine_and_shows_only_what_is_asked_for() -> None:
    kernel = compiled(_kernel, tuple)
    code = kernel.code_for(ARM, (1.5,))
    assert (code.parameters, code.calls) == (["ptr", "ptr", "double"], [])
    content = make_object([("double", code)], CALL, {}, ARM, {"entry"}.__contains__)
    assert content[:4] == b"\x7fELF"
    assert int.from_bytes(content[18:20], "little") == 183  # EM_AARCH64 of the ELF specification
    assert b"entry\0" in content
    assert not any(name in content for name in (b"unseen", b"double", b"twice", b"Numba"))
    assert make_object([("double", code)], CALL, {}, ARM, {"entry"}.__contains__) == content
    assert kernel(1.5) == 3.0


@pytest.mark.parametrize("triple", ["aarch64-unknown-linux-gnu", "wasm32-unknown-unknown", "x86_64-apple-macosx"])
def test_constant_data_lies_in_an_object_as_it_is(triple: str) -> None:
    first, second = bytes(range(256)) * 400, b"\xff" * 32
    lines = "define ptr @entry() {\n  ret ptr getelementptr (i8, ptr @first, i64 7)\n}\n"
    calls = lines + "define ptr @other() {\n  ret ptr @second\n}"
    data = {"first": first, "second": second}
    content = make_object([], calls, data, ARM._replace(triple=triple, features=""), {"entry", "other"}.__contains__)
    assert content.count(first) == content.count(second) == 1
    assert len(content) < len(first) + 2000


def test_a_kernel_is_compiled_once_for_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compiled(_kernel, tuple)
    first = kernel.code_for(ARM, (1.5,))
    monkeypatch.setattr("dcz.core.jit.cross.compile_for_other", None)
    assert compiled(_kernel, tuple).code_for(ARM, (2.5,)) == first
    with pytest.raises(TypeError):
        kernel.code_for(ARM._replace(cpu="cortex-a72"), (1.5,))


def test_code_knows_what_it_is_compiled_for() -> None:
    assert current() is None
    with compiling_for(ARM):
        assert current() is ARM
    assert current() is None


def test_processors_without_the_instruction_multiply_and_add() -> None:
    from dcz.runtime import simd
    from dcz.runtime.jit import kernel

    @kernel
    def accumulate(x: np.ndarray) -> None:
        simd.store(x, 0, simd.fma(simd.zeros((0,)), simd.load((0,), x, 0), x, 16))

    def names(processor: Processor) -> set[str]:
        module = llvm.parse_bitcode(accumulate.code_for(processor, (np.zeros(32, np.float32),)).bitcode)
        return {function.name for function in module.functions}

    assert "llvm.fma.v16f32" in names(ARM)
    assert "llvm.fma.v16f32" not in names(ARM._replace(fuses=False))
