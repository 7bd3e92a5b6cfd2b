"""All that dcz uses of Numba's compiler beyond its documented interface, and nothing else.

A release of Numba may rename or drop any of these names. `tests/core/jit/test_numba_adapter.py` lists them, and reports
a missing one.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from .linking import Function, MachineCode


@global_compiler_lock  # type: ignore[untyped-decorator]
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
    calls = [each.name for each in result.library._final_module.functions if each.is_declaration]
    outside = [name for name in calls if not name.startswith("llvm.")]
    entry = result.fndesc.llvm_cpython_wrapper_name
    return function, MachineCode(entry, listed, outside, result.library._get_compiled_object())


def serialized(value: Any) -> bytes:
    """Pickle a value that holds constants of compiled functions."""
    data: bytes = dumps(value)
    return data


def target() -> tuple[str, ...]:
    """The system, processor and CPU features that Numba compiles for."""
    return tuple(map(str, cpu_target.target_context.codegen().magic_tuple()))


def type_of_dispatcher(dispatcher: Any) -> Any:
    """Numba's type of a function of `numba.njit`, as another compiled function sees it."""
    return types.Dispatcher(dispatcher)
