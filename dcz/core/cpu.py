"""Features of the processor that kernels are compiled for."""

from __future__ import annotations

import llvmlite.binding as llvm
from numba import config


def has(feature: str) -> bool:
    """Whether the compilation target has a feature, by Numba's setting if there is one, else by the CPU."""
    if config.CPU_FEATURES is not None:
        return f"+{feature}" in config.CPU_FEATURES
    return bool(llvm.get_host_cpu_features().get(feature, False))


WIDE = has("avx512f")
"""AVX-512 F: 32 registers of 512 bits, with permutations of float32."""
WORDS = WIDE and has("avx512bw")
"""AVX-512 BW: permutations of 16-bit words as well."""
BYTE_DOTS = WORDS and has("avx512vnni") and has("avx512vl")
"""AVX-512 VNNI: products of four bytes summed at a time."""
PACKS = has("avx2")
"""AVX2: words packed to bytes that saturate, in vectors of 256 bits."""
