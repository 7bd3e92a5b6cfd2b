"""Targets: the processors that models are compiled for, and how they are planned for."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, replace

import llvmlite.binding as llvm

from ..core.cpu import has
from ..core.errors import InputError
from ..core.jit import Processor
from ..core.jit.numba_adapter import target as host_code
from ..core.jit.processor import EXTENSIONS
from ..core.levels import FUSING, LEVELS, Feature
from ..runtime.plan import target as planned

NATIVE = "native"
X86_64 = ("x86_64", "amd64")
"""What systems call the machine."""


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

    @property
    def linked_here(self) -> bool:
        """Whether the system's compiler links for it: for this machine, and for other levels of it."""
        return self.native or (sys.platform == "linux" and self.processor.triple.startswith(platform.machine()))


def _x86(level: str, features: str, kind: planned.Target, extensions: int) -> Target:
    """A level; `extensions` is the number of `EXTENSIONS` that it has."""
    cpu, fuses = level.partition("+")[0], extensions > 0
    processor = Processor("x86_64-unknown-linux-gnu", cpu, features, fuses, extensions=EXTENSIONS[:extensions])
    return Target(level, processor, kind, "x86_64-linux-gnu")


_WASM = "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext"
_ALL = (
    _x86("x86-64-v2", "", planned.AVX2, 0),
    _x86("x86-64-v3", "", planned.AVX2, 1),
    _x86("x86-64-v4", "-prefer-256-bit", planned.WITH_AVX512, 2),
    _x86("x86-64-v4+vnni", "-prefer-256-bit,+avx512vnni", planned.WITH_BYTE_DOTS, 3),
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


def find_targets(names: str) -> list[Target]:
    """The target of a name; or several levels of x86-64, separated by commas, the lowest first.

    Raises
    ------
    InputError
        There is none of a name; several are given that are no levels, or where none can be compiled to choose from.
    """
    given = list(dict.fromkeys(names.split(",")))
    targets = {name: find_target(name) for name in given}
    if len(given) == 1:
        return list(targets.values())
    if other := [name for name in given if name not in LEVELS]:
        expected = f"levels of x86-64: {', '.join(LEVELS)}"
        raise InputError("only these can be several targets", expected=expected, found=", ".join(other))
    if platform.machine().lower() not in X86_64:
        raise InputError("several levels are compiled on x86-64 only", found=platform.machine(), hint="name one level")
    return [targets[name] for name in LEVELS if name in targets]


def this_machine() -> Target:
    """The machine at hand, as the runtime plans and compiles for it; a level of x86-64, which others have too."""
    target = find_target(NATIVE)
    if target.name in FUSING:
        return replace(target, planned=planned.HOST)
    triple, cpu, features = host_code()
    processor = target.processor._replace(triple=triple, cpu=cpu, features=features)
    return replace(target, processor=processor, planned=planned.HOST)


def _has(feature: Feature) -> bool:
    """Whether this machine has a feature. The vector ones tell levels apart: settings of Numba may name no others."""
    return has(feature.name) or not feature.name.startswith(("avx", "fma"))


def _native() -> Target:
    """The highest level that this machine has, for its own system."""
    machine = platform.machine().lower()
    if machine in X86_64:
        name = [level for level, features in LEVELS.items() if all(map(_has, features))][-1]
    else:
        name = {"arm64": "aarch64", "armv7l": "armv7"}.get(machine, machine)
    if name not in TARGETS:
        raise InputError("models cannot be compiled for this machine", expected=", ".join(TARGETS), found=machine)
    target = TARGETS[name]
    processor = target.processor._replace(triple=llvm.get_process_triple())
    return replace(target, processor=processor, native=True)
