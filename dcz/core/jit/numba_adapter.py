"""All that dcz uses of Numba beyond its documented interface, and nothing else.

A release of Numba may rename or drop any of it. `tests/core/jit/test_numba_adapter.py` names each, and says which is
gone.
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
"""Held by whoever compiles or links, in the whole process; one thread may take it several times."""
NO_REFERENCE_COUNTS = {"_nrt": False}
"""Option of `numba.njit` for functions that allocate nothing."""


class MachineCode(NamedTuple):
    """A compiled function in a form that `serialized` can keep and another process can link.

    Attributes
    ----------
    entry : str
        Symbol of the function that takes and gives Python objects.
    environments : list of (str, list, str)
        Module, constants and symbol of what it refers to while it runs; its own stands first.
    object_code : bytes
        An object file.
    """

    entry: str
    environments: list[tuple[str, list[Any], str]]
    object_code: bytes


def compile_for(dispatcher: Any, arguments: tuple[Any, ...]) -> tuple[Function, MachineCode | None]:
    """Compile what `numba.njit` made for the types of some arguments.

    Returns
    -------
    callable
    MachineCode or None
        None if it needs a library that has to be started, which linking alone would not do.
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
    """Make a function of machine code; `source` is what it was compiled from."""
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
    """Tell the linker where Numba's runtime is: all that the machine code refers to besides itself."""
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def serialized(value: Any) -> bytes:
    """Pickle a value that holds constants of compiled functions."""
    data: bytes = dumps(value)
    return data


@cache
def target() -> tuple[str, ...]:
    """The system, processor and features that machine code is for."""
    return tuple(map(str, cpu_target.target_context.codegen().magic_tuple()))


def type_of_dispatcher(dispatcher: Any) -> Any:
    """Numba's type of what `numba.njit` made, as another compiled function sees it."""
    return types.Dispatcher(dispatcher)
