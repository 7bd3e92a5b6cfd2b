"""Compression in a training loop of your own, and without one. Importing this module imports torch.

A network that is pruned and shared here stays a plain module. `dcz.convert` writes it, and finds the zeros and the
shared values by itself.
"""

from __future__ import annotations

from ..converters.loops.one_shot import one_shot
from ..converters.loops.pruner import Pruner
from ..converters.loops.sensitivity import sensitivity
from ..converters.loops.sharer import Sharer

__all__ = ["Pruner", "Sharer", "one_shot", "sensitivity"]
