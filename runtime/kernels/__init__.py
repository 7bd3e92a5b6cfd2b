"""Kernels: compiled functions, and the packers that lay weights out for them.

`pack_conv` and `pack_linear` choose a kernel by estimated cost; `conv_candidates` and `linear_candidates` list the
choices. Their twins for ``lanes`` are for 16 samples side by side.
"""

from __future__ import annotations

from .select import (
    conv_candidates,
    linear_candidates,
    pack_conv,
    pack_conv_lanes,
    pack_linear,
    pack_linear_lanes,
)

__all__ = [
    "conv_candidates",
    "linear_candidates",
    "pack_conv",
    "pack_conv_lanes",
    "pack_linear",
    "pack_linear_lanes",
]
