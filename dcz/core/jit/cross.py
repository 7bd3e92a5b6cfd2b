"""Object files for other processors: Numba's code generator with LLVM's description of another machine.

Like `numba_adapter`, this file reaches into Numba; `tests/core/jit/test_cross.py` runs all that it uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import llvmlite.binding as llvm
from numba import typeof
from numba.core.codegen import AOTCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher, CPUTarget, cpu_target

from .processor import Processor, current

_LEVEL = 3
"""LLVM's level of optimisation, as for this machine's code."""
_SYMBOL = "kernel"
_DATA_ALIGNMENT = 64
"""Of constant data, in bytes: a cache line, and an AVX-512 vector."""


class CrossCode(NamedTuple):
    """A kernel compiled for a processor and for types of arguments.

    Attributes
    ----------
    parameters : list of str
        LLVM types of all parameters: the address of the result, the address of an error, then the arguments, flat.
    bitcode : bytes
        An LLVM module, optimised, with the one symbol ``kernel``; each function names its processor.
    calls : list of str
        Functions that it calls and does not hold, without those that LLVM's instructions become.
    """

    parameters: list[str]
    bitcode: bytes
    calls: list[str]


class _Codegen(AOTCPUCodegen):  # type: ignore[misc]
    """Numba's code generator for a processor."""

    def __init__(self, processor: Processor) -> None:
        self._triple = ""
        super().__init__("dcz")  # for this machine
        self._triple, self._tm = processor.triple, _machine(processor)
        self._target_data = self._tm.target_data
        self._data_layout = str(self._target_data)

    def _create_empty_module(self, name: str) -> Any:
        module = super()._create_empty_module(name)
        module.triple = self._triple or module.triple
        return module


class _Target(CPUTarget):  # type: ignore[misc]
    """Numba's description of a processor: that of this machine with another code generator."""

    def __init__(self, processor: Processor) -> None:
        super().__init__("cpu")
        host = cpu_target.target_context
        host.refresh()
        self._context = host.subtarget(_internal_codegen=_Codegen(processor), get_executable=_no_executable)

    @property
    def typing_context(self) -> Any:
        """Types are those of this machine."""
        return cpu_target.typing_context

    @property
    def target_context(self) -> Any:
        """What makes instructions."""
        return self._context


class _Dispatcher(CPUDispatcher):  # type: ignore[misc]
    """A function that is compiled for another processor, and never called."""

    def add_overload(self, result: Any) -> None:
        """Keep a result, without entering it into the table of what Python may call."""
        self.overloads[tuple(result.signature.args)] = result


def _no_executable(library: Any, description: Any, environment: Any) -> object:
    """Stands for the function that Numba would link here: by it other compiled functions find this one."""
    return object()


@cache
def _machine(processor: Processor) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.initialize_native_asmparser()  # for instructions that are written by name
    options = {"opt": _LEVEL, "reloc": "pic", "codemodel": "default"}
    described = llvm.Target.from_triple(processor.triple)
    return described.create_target_machine(cpu=processor.cpu, features=processor.features, **options)


@cache
def _dispatcher_class(processor: Processor) -> type:
    return type("_DispatcherOfProcessor", (_Dispatcher,), {"targetdescr": _Target(processor)})


@global_compiler_lock  # type: ignore[untyped-decorator]
def dispatcher_for(dispatcher: Any, processor: Processor) -> Any:
    """A function of `numba.njit` as one that is compiled for a processor and never called."""
    options = {**dispatcher.targetoptions, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return _dispatcher_class(processor)(dispatcher.py_func, dispatcher.locals, options)


@global_compiler_lock  # type: ignore[untyped-decorator]
def compile_for_other(dispatcher: Any, arguments: tuple[Any, ...]) -> CrossCode:
    """Compile a function for the types of some arguments.

    Parameters
    ----------
    dispatcher : object
        What `dispatcher_for` makes. The caller is within `compiling_for`, and holds the compiler's lock.
    arguments : tuple
    """
    processor = current()
    assert processor is not None
    types = tuple(map(typeof, arguments))
    dispatcher.compile(types)
    result = dispatcher.overloads[types]
    result.library._ensure_finalized()  # which optimises
    module = result.library._final_module
    function = module.get_function(result.fndesc.llvm_func_name)
    function.name = _SYMBOL
    _reduce(module, processor, lambda name: name == _SYMBOL)
    calls = [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]
    parameters = [str(each.type) for each in function.arguments]
    return CrossCode(parameters, llvm.parse_assembly(_naming(processor, str(module))).as_bitcode(), calls)


def make_object(
    kernels: Iterable[tuple[str, CrossCode]],
    calls: str,
    data: Mapping[str, bytes],
    processor: Processor,
    exported: Callable[[str], bool],
) -> bytes:
    """Link kernels, and functions that call them, into an object file.

    LLVM sees no constant data: assembly would take several times its memory. It lays out placeholders of the same
    size, which are replaced in the object file.

    Parameters
    ----------
    kernels : iterable of (str, CrossCode)
        With the names by which `calls` knows them.
    calls : str
        LLVM assembly, without triple and data layout.
    data : mapping of str to bytes
        Constants that `calls` uses, by symbol, of at least 32 bytes each; they begin at multiples of 64 bytes.
    processor : Processor
    exported : callable
        ``exported(name)``: whether the object file shows a symbol. No other symbol has a name in it.
    """
    machine = _machine(processor)
    layout = f'target triple = "{processor.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    placeholders = "\n".join(_placeholder(name, content) for name, content in data.items())
    whole = llvm.parse_assembly(f"{layout}{placeholders}\n{calls}")
    for name, code in kernels:
        module = llvm.parse_bitcode(code.bitcode)
        module.triple, module.data_layout = whole.triple, whole.data_layout
        module.get_function(_SYMBOL).name = name
        whole.link_in(module)
    _reduce(whole, processor, exported)
    whole.verify()
    made: bytes = machine.emit_object(whole)
    for content in data.values():
        made = _filled(made, content)
    return made


def _placeholder(name: str, content: bytes) -> str:
    """A line of assembly that defines a constant of the size of some data: its digest, then zeros."""
    digest = _digest(content)
    mark, zeros = f"[{len(digest)} x i8]", f"[{len(content) - len(digest)} x i8]"
    text = "".join(map("\\{:02X}".format, digest))
    return (
        f"@{name} = private externally_initialized constant <{{ {mark}, {zeros} }}> "
        f'<{{ {mark} c"{text}", {zeros} zeroinitializer }}>, align {_DATA_ALIGNMENT}'
    )


def _filled(made: bytes, content: bytes) -> bytes:
    """An object file with data in the place of its placeholder."""
    place = made.find(_digest(content))
    if place < 0:
        return made  # nothing refers to it, so LLVM left it out
    return b"".join((made[:place], content, made[place + len(content) :]))


def _digest(content: bytes) -> bytes:
    return sha256(content).digest()


def _naming(processor: Processor, assembly: str) -> str:
    """Assembly in which each function names its processor: so functions for several can lie in one module."""
    named = f' "target-cpu"="{processor.cpu}" "target-features"="{processor.features}" {{'
    return re.sub(r"^(define .*) \{$", lambda found: found[1] + named, assembly, flags=re.MULTILINE)


def _reduce(module: Any, processor: Processor, exported: Callable[[str], bool]) -> None:
    """Leave a module what its exported symbols need, and give no other symbol a name."""
    for symbol in (*module.functions, *module.global_variables):
        if not symbol.is_declaration and not exported(symbol.name):
            symbol.linkage = llvm.Linkage.private
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=_LEVEL)
    passes.run(module, llvm.create_pass_builder(_machine(processor), options))
