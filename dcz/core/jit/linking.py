"""Links machine code that was kept, without Numba's compiler, whose import takes longer than reading a large model.

Machine code calls Python and Numba's runtime, which is three extension modules. They are loaded here without the
package around them; an import of Numba, before or after, loads them in its own way, and both share their types. Like
`numba_adapter`, this file reaches into Numba; `tests/core/jit/test_linking.py` runs all that it uses.
"""

from __future__ import annotations

import builtins
import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, NamedTuple

import llvmlite.binding as llvm

Function = Callable[..., Any]


class MachineCode(NamedTuple):
    """A compiled function in a form that can be kept, and linked by another process.

    Attributes
    ----------
    entry : str
        Symbol of the function that takes and returns Python objects.
    environments : list of (str, list, str)
        Module, constants and symbol of each environment that the code refers to; its own is the first.
    calls : list of str
        Functions that it calls and does not hold.
    object_code : bytes
        An object file.
    """

    entry: str
    environments: list[tuple[str, list[Any], str]]
    calls: list[str]
    object_code: bytes


def link(code: MachineCode, source: Function) -> Function | None:
    """Make a function from machine code. The caller holds the compiler's lock.

    Parameters
    ----------
    code : MachineCode
    source : callable
        The Python function that it was compiled from.

    Returns
    -------
    callable or None
        None if it calls a function that this process does not have, as one of a library that Numba loads.
    """
    engine = _engine()
    if not all(map(llvm.address_of_symbol, code.calls)):
        return None
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.object_code))
    engine.finalize_object()
    environments = [_environment(*each) for each in code.environments]
    for (*_, symbol), environment in zip(code.environments, environments, strict=True):
        place = engine.get_global_value_address(symbol)
        ctypes.c_void_p.from_address(place).value = id(environment)
    address = engine.get_function_address(code.entry)
    what = sys.modules[source.__module__], source.__name__, source.__doc__ or ""
    made: Function = _extension("_dynfunc").make_function(*what, address, environments[0], tuple(environments))
    return made


_environments: dict[str, Any] = {}


def _environment(module: str, constants: list[Any], symbol: str) -> Any:
    """Globals and constants of a function for its machine code; one for each symbol, which code may share."""
    if symbol not in _environments:
        made = _extension("_dynfunc").Environment(vars(import_module(module)))
        made.consts[:] = constants
        _environments[symbol] = made
    return _environments[symbol]


@cache
def _engine() -> Any:
    """LLVM's linker, which knows the addresses of all that machine code may call."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in _symbols():
        llvm.add_symbol(name, address)
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _symbols() -> Iterator[tuple[str, int]]:
    """Names and addresses, as Numba gives them to its own linker."""
    for name, address in _extension("core/runtime/_nrt_python").c_helpers.items():
        yield (name if name.startswith("_") else f"NRT_{name}"), address
    for extension in ("_helperlib", "_dynfunc"):
        for name, address in _extension(extension).c_helpers.items():
            yield f"numba_{name}", address
    yield "_Py_NoneStruct", id(None)
    for value in vars(builtins).values():
        if isinstance(value, type) and issubclass(value, BaseException):
            yield f"PyExc_{value.__name__}", id(value)


@cache
def _extension(path: str) -> ModuleType:
    """An extension module of Numba, by its path in the package."""
    package = find_spec("numba")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'numba'", name="numba")
    folder, name = os.path.split(os.path.join(os.path.dirname(package.origin), path))
    spec = PathFinder.find_spec(name, [folder])
    if spec is None or spec.loader is None:
        raise ImportError(f"Numba has no extension module {path}", name=name, path=folder)
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
