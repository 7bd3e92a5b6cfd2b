"""Targets: the processors that models are compiled for, and how they are planned for."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace

import llvmlite.binding as llvm

from ..core.cpu import has
from ..core.errors import InputError
from ..core.jit import Processor
from ..core.jit.numba_adapter import target as host_code
from ..runtime.plan import target as planned

NATIVE = "native"


@dataclass(frozen=True)
class Target:
    """A processor to compile for.

    Attributes
    ----------
    name : str
    processor : Processor
    planned : dcz.runtime.plan.target.Target
        As which kind of processor it is planned for.
    zig : str
        Name of its system for ``zig cc``.
    native : bool
        Whether it is this machine.
    """

    name: str
    processor: Processor
    planned: planned.Target
    zig: str
    native: bool = False

    @property
    def wasm(self) -> bool:
        """Whether it is WebAssembly."""
        return self.processor.triple.startswith("wasm")


def _x86(level: str, features: str, kind: planned.Target, fuses: bool = True) -> Target:
    processor = Processor("x86_64-unknown-linux-gnu", level, features, fuses)
    return Target(level, processor, kind, "x86_64-linux-gnu")


_WASM = "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext"
_ALL = (
    _x86("x86-64-v2", "", planned.AVX2, fuses=False),
    _x86("x86-64-v3", "", planned.AVX2),
    _x86("x86-64-v4", "-prefer-256-bit", planned.WITH_AVX512),
    Target("aarch64", Processor("aarch64-unknown-linux-gnu", "generic", "+neon"), planned.AVX2, "aarch64-linux-gnu"),
    Target(
        "armv7",
        Processor("armv7-unknown-linux-gnueabihf", "cortex-a15", "+neon,+vfp4", bits=32),
        planned.AVX2,
        "arm-linux-gnueabihf",
    ),
    Target(
        "riscv64",
        Processor("riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c"),
        planned.AVX2,
        "riscv64-linux-gnu",
    ),
    Target(
        "wasm32",
        Processor("wasm32-unknown-unknown", "generic", _WASM, fuses=False, bits=32),
        planned.WASM,
        "wasm32-wasi",
    ),
)
TARGETS = {target.name: target for target in _ALL}
"""By name."""


def find_target(name: str) -> Target:
    """The target of a name, or this machine's for ``native``.

    Raises
    ------
    InputError
        There is none.
    """
    if name == NATIVE:
        return _native()
    if name not in TARGETS:
        raise InputError("unknown target", expected=", ".join((NATIVE, *TARGETS)), found=name)
    return TARGETS[name]


def this_machine() -> Target:
    """The machine at hand with all instructions that its processor has, as kernels are compiled for it elsewhere.

    So compiled code gives the bits that the runtime gives; ``native`` is the level of machines like this one.
    """
    target = find_target(NATIVE)
    triple, cpu, features = host_code()
    return replace(target, processor=Processor(triple, cpu, features, bits=target.processor.bits))


def _native() -> Target:
    """The highest level that this machine has, for its own system."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        needs = {"x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"), "x86-64-v3": ("avx2", "fma")}
        name = next((level for level, features in needs.items() if all(map(has, features))), "x86-64-v2")
    else:
        name = {"arm64": "aarch64", "armv7l": "armv7"}.get(machine, machine)
    if name not in TARGETS:
        raise InputError("models cannot be compiled for this machine", expected=", ".join(TARGETS), found=machine)
    target = TARGETS[name]
    processor = target.processor._replace(triple=llvm.get_process_triple())
    return replace(target, processor=processor, native=True)
