"""Kernels: compiled functions, and the packers that lay weights out for them.

`conv_choices` and `linear_choices` list the ways to compute a layer, the one estimated to be fastest first. Their twins
for ``lanes`` are for 16 samples side by side.
"""

from __future__ import annotations

from ..plan.select import Choice, by_kernel, conv_choices, linear_choices, pool_pays
from ..plan.select_batch16 import conv_lanes_choices, linear_lanes_choices

__all__ = [
    "Choice",
    "by_kernel",
    "conv_choices",
    "conv_lanes_choices",
    "linear_choices",
    "linear_lanes_choices",
    "pool_pays",
]
