"""LLVM assembly of a program: calls of compiled kernels on addresses in the arena and among the constants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.jit import Kernel, Processor, kinds_of
from ..core.jit.cross import CrossCode
from ..dcformat import InputError, UnsupportedOpError
from ..runtime.kernels.layout import from_lanes, to_lanes
from ..runtime.plan.plan import Plan
from ..runtime.program import Buffer, Constant, Instruction, Parallel, resolve

Array = NDArray[Any]
ALIGNMENT = 64
"""Of the arena and of each constant, in bytes: a cache line, and an AVX-512 vector."""
FLOAT_BYTES = 4
CONSTANTS = "@constants"
_MATHS = (
    *("ceil", "cos", "erf", "exp", "expm1", "fabs", "floor", "fma", "fmod", "log", "log1p", "pow", "rint", "round"),
    *("sin", "sqrt", "tanh", "trunc"),
)
LIBRARY = frozenset(name + kind for name in _MATHS for kind in ("", "f"))
"""Functions of C's library that kernels may call: for double, and for float."""


class Kernels:
    """Kernels compiled for a processor, each once for the types of its arguments.

    Parameters
    ----------
    processor : Processor

    Attributes
    ----------
    code : dict of str to CrossCode
        By symbol.
    """

    def __init__(self, processor: Processor) -> None:
        self.code: dict[str, CrossCode] = {}
        self._processor = processor
        self._symbols: dict[tuple[Any, ...], str] = {}

    def symbol(self, op: str, kernel: Any, arguments: tuple[Any, ...]) -> str:
        """The symbol of a kernel for arguments of these types; `op` is the operator that it serves."""
        if not isinstance(kernel, Kernel):
            raise InputError("kernels cannot be compiled with NUMBA_DISABLE_JIT=1", hint="unset NUMBA_DISABLE_JIT")
        key = kernel, kinds_of(arguments)
        if key not in self._symbols:
            code = kernel.code_for(self._processor, arguments)
            if foreign := set(code.calls) - LIBRARY:
                why = f"its kernel calls what C's library does not have: {', '.join(sorted(foreign))}"
                raise UnsupportedOpError(op, why=why)
            self._symbols[key] = f"{kernel.name}_{len(self._symbols)}"
            self.code[self._symbols[key]] = code
        return self._symbols[key]

    def declarations(self) -> Iterator[str]:
        """A line of assembly for each kernel."""
        return (f"declare i32 @{name}({', '.join(code.parameters)})" for name, code in self.code.items())


class Constants:
    """Constants laid end to end; equal ones once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self.nbytes = 0

    def address(self, array: Array) -> str:
        """The address of an array as an operand."""
        assert array.flags.c_contiguous
        data = array.tobytes()
        if data not in self._places:
            self._places[data] = self.nbytes
            self._parts += [data, bytes(-len(data) % ALIGNMENT)]
            self.nbytes += len(data) + -len(data) % ALIGNMENT
        return f"getelementptr (i8, ptr {CONSTANTS}, i64 {self._places[data]})"

    def definition(self) -> str:
        """The line of assembly that holds them."""
        return define_bytes(CONSTANTS, b"".join(self._parts) or bytes(ALIGNMENT), ALIGNMENT)


class Run:
    """A function that runs a plan once: ``@NAME(input addresses, output addresses, arena)``.

    Parameters
    ----------
    name : str
    plan : Plan
        For one thread.
    kernels : Kernels
    constants : Constants
    """

    def __init__(self, name: str, plan: Plan, kernels: Kernels, constants: Constants) -> None:
        self.name, self._plan, self._kernels, self._constants = name, plan, kernels, constants
        self._arena = np.empty(plan.program.elements, np.float32)  # for the types of arguments: never read or written
        self._lines: list[str] = []
        self._addresses: dict[int, str] = {}

    def definition(self) -> str:
        """The function in assembly."""
        plan, arena = self._plan, self._arena
        for number, value in enumerate(plan.inputs):
            self._move(f"%in{number}", plan.view(arena, value), to_lanes, True)
        for step, made, calls in zip(plan.steps, plan.program.steps, resolve(plan.program, arena), strict=True):
            for instruction, call in zip(_instructions(made), _instructions(calls), strict=True):
                self._call(step.op, instruction, call[1])
        for number, value in enumerate(plan.outputs):
            self._move(f"%out{number}", plan.view(arena, value), from_lanes, False)
        pointers = (*(f"%in{i}" for i in range(len(plan.inputs))), *(f"%out{i}" for i in range(len(plan.outputs))))
        parameters = ", ".join(f"ptr {pointer}" for pointer in (*pointers, "%arena"))
        begin = "  %result = alloca ptr\n  %error = alloca ptr"
        lines = "\n".join(self._lines)
        return f"define internal void @{self.name}({parameters}) {{\n{begin}\n{lines}\n  ret void\n}}\n"

    def _move(self, outside: str, held: Array, interleave: Any, inwards: bool) -> None:
        """Copy an input into the arena, or an output out of it."""
        inside = self._in_arena(held.ctypes.data - self._arena.ctypes.data)
        ends = (outside, inside) if inwards else (inside, outside)
        if self._plan.lanes > 1:
            flat = held.reshape(-1)
            self._emit("input", interleave, (flat, flat), ends)
        else:
            self._lines.append(
                f"  call void @llvm.memcpy.p0.p0.i64(ptr {ends[1]}, ptr {ends[0]}, i64 {held.nbytes}, i1 false)"
            )

    def _call(self, op: str, instruction: Instruction, arguments: tuple[Any, ...]) -> None:
        pairs = zip(instruction.arguments, arguments, strict=True)
        addresses = [self._address(given, value) for given, value in pairs if isinstance(value, np.ndarray)]
        self._emit(op, instruction.kernel, arguments, addresses)

    def _address(self, given: Buffer | Constant, value: Array) -> str:
        return self._in_arena(given.offset) if isinstance(given, Buffer) else self._constants.address(value)

    def _in_arena(self, offset: int) -> str:
        if offset not in self._addresses:
            self._addresses[offset] = f"%at{offset}"
            self._lines.append(f"  %at{offset} = getelementptr i8, ptr %arena, i64 {offset}")
        return self._addresses[offset]

    def _emit(self, op: str, kernel: Any, arguments: tuple[Any, ...], addresses: Iterable[str]) -> None:
        symbol, places = self._kernels.symbol(op, kernel, arguments), iter(addresses)
        values = ("%result", "%error", *(each for value in arguments for each in _flat(value, places)))
        typed = zip(self._kernels.code[symbol].parameters, values, strict=True)
        self._lines.append(f"  call i32 @{symbol}({', '.join(map(' '.join, typed))})")


def _instructions(step: Iterable[Any]) -> Iterator[Any]:
    """The calls of a step in one thread."""
    for each in step:
        yield from each.whole if isinstance(each, Parallel) else (each,)


def _flat(value: Any, addresses: Iterator[str]) -> Iterator[str]:
    """An argument as Numba passes it: an array's fields and a tuple's elements one by one, None as an address."""
    if isinstance(value, np.ndarray):
        yield from ("null", "null", str(value.size), str(value.itemsize), next(addresses))
        yield from map(str, (*value.shape, *value.strides))
    elif isinstance(value, tuple):
        for each in value:
            yield from _flat(each, addresses)
    elif value is None:
        yield "null"
    elif isinstance(value, float | np.floating):
        yield f"0x{np.float64(value).view(np.uint64):016X}"  # exact, also for float32
    else:
        yield str(int(value))


def define_bytes(name: str, data: bytes, alignment: int = 1) -> str:
    """The line of assembly that defines constant bytes."""
    text = "".join(map("\\{:02X}".format, data))
    return f'{name} = private unnamed_addr constant [{len(data)} x i8] c"{text}", align {alignment}'
