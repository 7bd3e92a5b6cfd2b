"""What the processor can do that kernels are compiled for."""

from __future__ import annotations

import llvmlite.binding as llvm
from numba import config


def has(feature: str) -> bool:
    """Whether the target of compilation has a feature, as told by Numba's settings or by the CPU."""
    if config.CPU_FEATURES is not None:
        return f"+{feature}" in config.CPU_FEATURES
    return bool(llvm.get_host_cpu_features().get(feature, False))


WIDE = has("avx512f")
"""Whether there are 32 registers of 512 bits, and they are permuted float32 by float32."""
WORDS = WIDE and has("avx512bw")
"""Whether they are permuted word by word."""
