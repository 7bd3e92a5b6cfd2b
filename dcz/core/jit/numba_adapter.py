"""All that dcz uses of Numba beyond its documented interface, and nothing else.

A release of Numba may rename or drop any of these names. `tests/core/jit/test_numba_adapter.py` lists them, and reports
a missing one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import llvmlite.binding as llvm
from numba import _dynfunc
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.environment import _rebuild_env
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python
from numba.core.serialize import dumps

Function = Callable[..., Any]

COMPILER_LOCK = global_compiler_lock
"""Held by the thread that compiles or links, one in the whole process; re-entrant."""


class MachineCode(NamedTuple):
    """A compiled function in a form that `serialized` can write and another process can link.

    Attributes
    ----------
    entry : str
        Symbol of the function that takes and returns Python objects.
    environments : list of (str, list, str)
        Module, constants and symbol of each environment that the code refers to; its own is the first.
    object_code : bytes
        An object file.
    """

    entry: str
    environments: list[tuple[str, list[Any], str]]
    object_code: bytes


def compile_for(dispatcher: Any, arguments: tuple[Any, ...]) -> tuple[Function, MachineCode | None]:
    """Compile a function of `numba.njit` for the types of some arguments.

    Returns
    -------
    callable
    MachineCode or None
        None if the code needs a library that must be initialised, which linking does not do.
    """
    function: Function = dispatcher._compile_for_args(*arguments)
    result = next(made for made in dispatcher.overloads.values() if made.entry_point is function)
    if result.reload_init:
        return function, None
    inner = [each for each in result._find_referenced_environments() if each.consts]
    environments = [result.environment, *inner]
    listed = [(each.globals["__name__"], list(each.consts), each.env_name) for each in environments]
    entry = result.fndesc.llvm_cpython_wrapper_name
    return function, MachineCode(entry, listed, result.library._get_compiled_object())


def link(code: MachineCode, source: Function) -> Function:
    """Make a function from machine code; `source` is the Python function it was compiled from."""
    _link_runtime()
    codegen = cpu_target.target_context.codegen()
    codegen._engine._ee.add_object_file(llvm.ObjectFileRef.from_data(code.object_code))
    codegen._engine.finalize_object()
    environments = [_rebuild_env(*each) for each in code.environments]
    for each in environments:
        codegen.set_env(each.env_name, each)
    address = codegen._engine.get_function_address(code.entry)
    what = sys.modules[source.__module__], source.__name__, source.__doc__ or ""
    made: Function = _dynfunc.make_function(*what, address, environments[0], tuple(environments))
    return made


@cache
def _link_runtime() -> None:
    """Give the linker the addresses of Numba's runtime, the only external symbols in the machine code."""
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def serialized(value: Any) -> bytes:
    """Pickle a value that holds constants of compiled functions."""
    data: bytes = dumps(value)
    return data


@cache
def target() -> tuple[str, ...]:
    """The system, processor and CPU features that machine code is for."""
    return tuple(map(str, cpu_target.target_context.codegen().magic_tuple()))


def type_of_dispatcher(dispatcher: Any) -> Any:
    """Numba's type of a function of `numba.njit`, as another compiled function sees it."""
    return types.Dispatcher(dispatcher)
