"""The private names of Numba that dcz depends on: where one is gone, its line here says so."""

from __future__ import annotations

import ast
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from numba import njit
from numba.core.registry import cpu_target

from dcz.core.jit import NO_REFERENCE_COUNTS, numba_adapter

IMPORTED = (
    "numba.core.compiler_lock global_compiler_lock.__enter__",
    "numba.core.registry cpu_target.target_context.codegen",
    "numba.core.serialize dumps",
    "numba.core.types Dispatcher",
)
"""Modules, and what is taken from each."""
REACHED = {
    "dispatcher": ("_compile_for_args", "overloads.values"),
    "result": (
        "entry_point",
        "reload_init",
        "environment",
        "_find_referenced_environments",
        "fndesc.llvm_cpython_wrapper_name",
        "library._final_module.functions",
        "library._get_compiled_object",
    ),
    "environment": ("consts", "globals", "env_name"),
    "codegen": ("magic_tuple",),
}
"""By object: what is reached through it."""


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    dispatcher = njit(nogil=True)(lambda x: x + 1)
    dispatcher(1)
    (result,) = dispatcher.overloads.values()
    codegen = cpu_target.target_context.codegen()
    return {"dispatcher": dispatcher, "result": result, "environment": result.environment, "codegen": codegen}


@pytest.mark.parametrize("name", IMPORTED)
def test_numba_still_has(name: str) -> None:
    module, _, path = name.partition(" ")
    attrgetter(path)(import_module(module))


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in REACHED.items() for path in paths])
def test_numba_objects_still_have(objects: dict[str, Any], name: str, path: str) -> None:
    attrgetter(path)(objects[name])


def test_every_private_name_is_listed_here() -> None:
    listed = {part for text in (*IMPORTED, *sum(REACHED.values(), ())) for part in text.replace(" ", ".").split(".")}
    tree = list(ast.walk(ast.parse(Path(numba_adapter.__file__).read_text())))
    imports = [node for node in tree if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("numba")]
    names = {alias.name for node in imports for alias in node.names}
    names |= {node.attr for node in tree if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    assert len(names) > 5
    assert names - {"__name__", "__doc__", "__module__"} <= listed


def test_the_option_against_reference_counts_is_still_one() -> None:
    function = njit(nogil=True, **NO_REFERENCE_COUNTS)(lambda x: x + 1)
    assert function(1) == 2
    assert function.targetoptions["_nrt"] is False
