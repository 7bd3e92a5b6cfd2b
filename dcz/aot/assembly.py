"""LLVM assembly of a program: calls of compiled kernels on addresses in the arena and among the constants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.jit import Kernel, Processor, kinds_of
from ..core.jit.cross import CrossCode
from ..dcformat import InputError, UnsupportedOpError
from ..runtime.program import Buffer, Constant, Instruction

Array = NDArray[Any]
ALIGNMENT = 64
"""Of the arena and of each constant, in bytes: a cache line, and an AVX-512 vector."""
FLOAT_BYTES = 4
CONSTANTS = "constants"
"""Symbol of all constants."""
_MATHS = (
    *("ceil", "cos", "erf", "exp", "expm1", "fabs", "floor", "fma", "fmod", "log", "log1p", "pow", "rint", "round"),
    *("sin", "sqrt", "tanh", "trunc"),
)
NOWHERE: Mapping[int, str] = MappingProxyType({})
LIBRARY = frozenset(name + kind for name in _MATHS for kind in ("", "f"))
"""Functions of C's library that kernels may call: for double, and for float."""


class Kernels:
    """Kernels compiled for a processor, each once for the types of its arguments.

    Parameters
    ----------
    processor : Processor
    ending : str
        Of their symbols.

    Attributes
    ----------
    code : dict of str to CrossCode
        By symbol.
    """

    def __init__(self, processor: Processor, ending: str = "") -> None:
        self.code: dict[str, CrossCode] = {}
        self._processor, self._ending = processor, ending
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
            self._symbols[key] = f"{kernel.name}_{len(self._symbols)}{self._ending}"
            self.code[self._symbols[key]] = code
        return self._symbols[key]

    def call(self, symbol: str, values: Iterable[str]) -> str:
        """A line of assembly that calls a kernel with operands that `flat` gives."""
        typed = zip(self.code[symbol].parameters, ("%result", "%error", *values), strict=True)
        return f"  call i32 @{symbol}({', '.join(map(' '.join, typed))})"

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
        return f"getelementptr (i8, ptr @{CONSTANTS}, i64 {self._places[data]})"

    @property
    def data(self) -> dict[str, bytes]:
        """All of them, by their symbol."""
        return {CONSTANTS: b"".join(self._parts) or bytes(ALIGNMENT)}


class Function:
    """A function that calls kernels, one after the other: ``@NAME(pointers..., arena)``.

    Parameters
    ----------
    name : str
    pointers : sequence of str
        Parameters, addresses of arrays outside the arena.
    kernels : Kernels
    constants : Constants
    """

    def __init__(self, name: str, pointers: Sequence[str], kernels: Kernels, constants: Constants) -> None:
        self._parameters = ", ".join(f"ptr {pointer}" for pointer in (*pointers, "%arena"))
        self.name, self._kernels, self._constants = name, kernels, constants
        self._lines: list[str] = []
        self._addresses: dict[int, str] = {}

    @property
    def is_empty(self) -> bool:
        """Whether it does nothing."""
        return not self._lines

    def definition(self) -> str:
        """The function in assembly."""
        return function_text(self.name, self._parameters, self._lines)

    def call(
        self, op: str, instruction: Instruction, arguments: tuple[Any, ...], moved: Mapping[int, str] = NOWHERE
    ) -> None:
        """Add a call.

        Parameters
        ----------
        op : str
            The operator that it serves.
        instruction : Instruction
        arguments : tuple
            Of the instruction, resolved.
        moved : mapping of int to str
            Addresses of constants, by number, that do not lie among the constants.
        """
        pairs = zip(instruction.arguments, arguments, strict=True)
        addresses = [self._address(given, value, moved) for given, value in pairs if isinstance(value, np.ndarray)]
        self.emit(op, instruction.kernel, arguments, addresses)

    def copy(self, to: str, source: str, nbytes: int) -> None:
        """Add a copy of bytes between two addresses."""
        self._lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {nbytes}, i1 false)")

    def invoke(self, name: str, pointers: Iterable[str]) -> None:
        """Add a call of another such function."""
        self._lines.append(f"  call void @{name}({', '.join(f'ptr {pointer}' for pointer in (*pointers, '%arena'))})")

    def emit(self, op: str, kernel: Any, arguments: tuple[Any, ...], addresses: Iterable[str]) -> None:
        """Add a call of a kernel with arguments like these, whose arrays have the addresses given."""
        symbol, places = self._kernels.symbol(op, kernel, arguments), iter(addresses)
        self._lines.append(self._kernels.call(symbol, (each for value in arguments for each in flat(value, places))))

    def in_arena(self, offset: int) -> str:
        """The address of a byte of the arena."""
        if offset not in self._addresses:
            self._addresses[offset] = f"%at{offset}"
            self._lines.append(f"  %at{offset} = getelementptr i8, ptr %arena, i64 {offset}")
        return self._addresses[offset]

    def _address(self, given: Buffer | Constant, value: Array, moved: Mapping[int, str]) -> str:
        if isinstance(given, Buffer):
            return self.in_arena(given.offset)
        return moved.get(given.number) or self._constants.address(value)


def flat(value: Any, addresses: Iterator[str]) -> Iterator[str]:
    """An argument as Numba passes it: an array's fields and a tuple's elements one by one, None as an address."""
    if isinstance(value, np.ndarray):
        yield from ("null", "null", str(value.size), str(value.itemsize), next(addresses))
        yield from map(str, (*value.shape, *value.strides))
    elif isinstance(value, tuple):
        for each in value:
            yield from flat(each, addresses)
    elif value is None:
        yield "null"
    elif isinstance(value, float | np.floating):
        yield f"0x{np.float64(value).view(np.uint64):016X}"  # exact, also for float32
    else:
        yield str(int(value))


def function_text(name: str, parameters: str, lines: Iterable[str]) -> str:
    """A function in assembly whose lines call kernels."""
    begin = "  %result = alloca ptr\n  %error = alloca ptr"
    return "\n".join((f"define void @{name}({parameters}) {{", begin, *lines, "  ret void\n}\n"))


def define_bytes(name: str, data: bytes, alignment: int = 1) -> str:
    """The line of assembly that defines constant bytes."""
    text = "".join(map("\\{:02X}".format, data))
    return f'{name} = private unnamed_addr constant [{len(data)} x i8] c"{text}", align {alignment}'
