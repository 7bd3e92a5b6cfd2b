"""The processor that kernels are compiled for: this machine's, as LLVM knows it, or what settings of Numba say."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm

from . import numba_settings


def has(feature: str) -> bool:
    """Whether the compilation target has a feature, by Numba's setting if there is one, else by the CPU."""
    features = numba_settings.cpu_features()
    if features is not None:
        return f"+{feature}" in features
    return bool(llvm.get_host_cpu_features().get(feature, False))


@cache
def target() -> tuple[str, ...]:
    """The system and the processor that machine code is for, with the settings that change what is compiled."""
    host = llvm.get_default_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return *host, *numba_settings.code_settings()


WIDE = has("avx512f")
"""AVX-512 F: 32 registers of 512 bits, with permutations of float32."""
WORDS = WIDE and has("avx512bw")
"""AVX-512 BW: permutations of 16-bit words as well."""
BYTE_DOTS = WORDS and has("avx512vnni") and has("avx512vl")
"""AVX-512 VNNI: products of four bytes summed at a time."""
PACKS = has("avx2")
"""AVX2: words packed to bytes that saturate, in vectors of 256 bits."""
