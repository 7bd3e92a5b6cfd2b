"""Levels of x86-64 processors, and the features that they are made of.

Levels are those of the System V psABI for x86-64, with AVX-512 VNNI as one more. A processor is told by what its
system says of it (Linux) or by the instruction ``cpuid``.
"""

from __future__ import annotations

from typing import NamedTuple

EAX, EBX, ECX, EDX = range(4)
"""Registers that ``cpuid`` writes, in the order of its answer."""


class Feature(NamedTuple):
    """A feature of a processor.

    Attributes
    ----------
    name : str
        LLVM's.
    linux : str
        In ``/proc/cpuinfo``.
    leaf, register, bit : int
        Where ``cpuid`` (sub-leaf 0) tells of it.
    """

    name: str
    linux: str
    leaf: int
    register: int
    bit: int


_V2 = (
    Feature("sse3", "pni", 1, ECX, 0),
    Feature("ssse3", "ssse3", 1, ECX, 9),
    Feature("cx16", "cx16", 1, ECX, 13),
    Feature("sse4.1", "sse4_1", 1, ECX, 19),
    Feature("sse4.2", "sse4_2", 1, ECX, 20),
    Feature("popcnt", "popcnt", 1, ECX, 23),
    Feature("sahf", "lahf_lm", 0x80000001, ECX, 0),
)
_V3 = (
    *_V2,
    Feature("fma", "fma", 1, ECX, 12),
    Feature("movbe", "movbe", 1, ECX, 22),
    Feature("avx", "avx", 1, ECX, 28),
    Feature("f16c", "f16c", 1, ECX, 29),
    Feature("bmi", "bmi1", 7, EBX, 3),
    Feature("avx2", "avx2", 7, EBX, 5),
    Feature("bmi2", "bmi2", 7, EBX, 8),
    Feature("lzcnt", "abm", 0x80000001, ECX, 5),
)
_V4 = (
    *_V3,
    Feature("avx512f", "avx512f", 7, EBX, 16),
    Feature("avx512dq", "avx512dq", 7, EBX, 17),
    Feature("avx512cd", "avx512cd", 7, EBX, 28),
    Feature("avx512bw", "avx512bw", 7, EBX, 30),
    Feature("avx512vl", "avx512vl", 7, EBX, 31),
)
LEVELS = {
    "x86-64-v2": _V2,
    "x86-64-v3": _V3,
    "x86-64-v4": _V4,
    "x86-64-v4+vnni": (*_V4, Feature("avx512vnni", "avx512_vnni", 7, ECX, 11)),
}
"""The features of each level; one has those of all before it."""
FUSING = tuple(level for level, features in LEVELS.items() if "fma" in {feature.name for feature in features})
"""Those with an instruction that multiplies and adds, rounded once, as kernels do."""
