"""Vectors of 16 float32 lanes for kernels.

A `Vectors` value is one or more such vectors that a kernel keeps in registers, e.g. the accumulators of a tile. How
many is told by the length of a *tag*, a tuple of anything (`contract.tag` makes those that kernels are given): the
type of the tag, and so the machine code, depends on it.
Addresses are a flat array and the index of an element.

Compiled, these are generic LLVM vectors, which become AVX-512, AVX2 or NEON code, and **nothing is checked**, neither
bounds nor alignment. With ``NUMBA_DISABLE_JIT=1`` they are NumPy, and every access is checked: the same kernels, run
so, prove their packers.

Instructions are imported before the first kernel is compiled, not before: machine code that was kept needs none, and
Numba takes longer to import than a large model to load.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from ...core.jit import before_compiling
from ...core.numba_settings import jit_is_off
from ..slices import LANES as LANES

if TYPE_CHECKING:
    from .reference.arithmetic import *  # noqa: F403
    from .reference.byte_runs import *  # noqa: F403
    from .reference.byte_stores import *  # noqa: F403
    from .reference.bytes import *  # noqa: F403
    from .reference.functions import *  # noqa: F403
    from .reference.grid import *  # noqa: F403
    from .reference.lanes import *  # noqa: F403
    from .reference.memory import *  # noqa: F403
    from .reference.pairs import *  # noqa: F403
    from .reference.stream import *  # noqa: F403
    from .reference.waiting import *  # noqa: F403
    from .reference.window import *  # noqa: F403
    from .reference.winograd import *  # noqa: F403
    from .reference.word_rows import *  # noqa: F403
    from .reference.words import *  # noqa: F403

FILES = (
    *("memory", "arithmetic", "functions", "lanes", "grid", "words", "stream", "winograd", "window"),
    *("bytes", "byte_runs", "byte_stores", "pairs", "word_rows", "waiting"),
)
"""Files of operations, the same in `reference` and in `llvm`; each one's ``__all__`` in `reference` lists its names."""


def _import(side: str) -> None:
    for file in FILES:
        names = import_module(f".reference.{file}", __name__).__all__
        operations = vars(import_module(f".{side}.{file}", __name__))
        globals().update({name: operations[name] for name in names})


if jit_is_off():
    _import("reference")
else:
    before_compiling(partial(_import, "llvm"))
