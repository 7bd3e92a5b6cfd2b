"""A compiled program as a built-in function of Python: it answers for a sample without a line of Python.

With cold caches Python takes as long as a small layer: what it runs and looks at lies in some 500 lines of memory. So
the program's own code checks the array that it is given, makes the one for the answer, and runs.

It reads fields of NumPy's arrays at offsets that are part of NumPy's binary interface, and calls functions of Python
and NumPy whose addresses lie behind the arena, in a `Context`. So the program itself needs neither to be linked.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core import memory
from ...core.memory import CACHE_LINE

if TYPE_CHECKING:
    from ..kernels.contract import F32
    from .program import Program

TYPE, DATA, DIMENSIONS, SHAPE, DTYPE, FLAGS = 8, 16, 24, 32, 56, 64
"""Offsets in an ndarray: its type, address of its data, number of dimensions, address of its shape, dtype, flags."""
PLAIN = 0x101
"""Flags of an array that is C-contiguous and aligned."""
FLOAT32 = 11
"""NumPy's number for float32."""
_NEW, _TABLE = 93, "_ARRAY_API"
"""Place of ``PyArray_New`` among NumPy's functions, and the name of their table."""
_FASTCALL = 0x80
"""Python's flag of a function that gets its arguments as an array."""


class Context(ctypes.Structure):
    """What the code needs of Python and NumPy; it lies behind the arena.

    Attributes
    ----------
    busy : int
        1 while a call uses the arena.
    ndarray, float32, none : int
        Addresses of Python's objects.
    new, keep, release, acquire : int
        Addresses of the functions ``PyArray_New``, ``Py_IncRef``, ``PyEval_SaveThread`` and ``PyEval_RestoreThread``.
    name, code, flags, text : int
        The ``PyMethodDef`` by which Python knows the function.
    letters : bytes
        Its name.
    """

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("busy",)),
        *((name, ctypes.c_void_p) for name in ("ndarray", "float32", "none", "new", "keep", "release", "acquire")),
        *(("name", ctypes.c_void_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int64), ("text", ctypes.c_void_p)),
        ("letters", ctypes.c_char * 8),
    )


def place(elements: int) -> int:
    """Offset in bytes of the context, which follows an arena of `elements` float32."""
    return -(-4 * elements // CACHE_LINE) * CACHE_LINE


def builtin(program: Program) -> Callable[..., F32 | None] | None:
    """A program as a built-in function, with an arena of its own.

    Parameters
    ----------
    program : Program

    Returns
    -------
    callable or None
        ``answer(*batch)``: the answer; None where it is not a single contiguous ndarray of float32 of the network's
        shape, or where another thread is in the function. None in place of the function where the program has none, or
        Python is not as it expects.
    """
    if not program.answers or not _is_known():
        return None
    offset = place(program.elements)
    room = memory.room((offset + ctypes.sizeof(Context)) // 4, np.float32, zeroed=True)
    start: int = room.ctypes.data + offset
    python, context = ctypes.pythonapi, Context.from_address(start)
    context.ndarray, context.float32, context.none = map(id, (np.ndarray, np.dtype(np.float32), None))
    context.new = _numpy_functions()[_NEW]
    functions = python.Py_IncRef, python.PyEval_SaveThread, python.PyEval_RestoreThread, program.answer
    context.keep, context.release, context.acquire, context.code = map(_address, functions)
    context.letters, context.name, context.flags = b"answer", start + Context.letters.offset, _FASTCALL
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    made: Callable[..., F32 | None] = make(("PyCFunction_NewEx", python))(start + Context.name.offset, room, None)
    return made


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _numpy_functions() -> Any:
    """NumPy's table of functions for other languages."""
    core = getattr(np, "_core", None) or np.core  # before NumPy 2
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    return (ctypes.c_void_p * (_NEW + 1)).from_address(get(getattr(core._multiarray_umath, _TABLE), None) or 0)


@cache
def _is_known() -> bool:
    """Whether an array lies in memory as expected. It does in CPython with a global lock, on machines of 64 bits."""
    if sys.implementation.name != "cpython" or object.__basicsize__ != DATA or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    probe = np.zeros((2, 3, 5), np.float32)

    def read(offset: int, kind: type[Any] = ctypes.c_void_p) -> Any:
        return kind.from_address(id(probe) + offset).value

    if read(DIMENSIONS, ctypes.c_int32) != probe.ndim or read(DATA) != probe.ctypes.data:
        return False
    shape = tuple((ctypes.c_int64 * probe.ndim).from_address(read(SHAPE)))
    facts = read(TYPE), read(DTYPE), read(FLAGS, ctypes.c_int32) & PLAIN, shape, probe.dtype.num
    return facts == (id(np.ndarray), id(np.dtype(np.float32)), PLAIN, probe.shape, FLOAT32)
