"""The non-zero bytes of a line, with their places: 64 at a time, by an instruction that packs what a mask names.

`pick` is `plain_pick`; in compiled kernels, the same in LLVM instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.cpu import WORDS, has
from ...core.jit import before_compiling

PICKED = 64
"""Bytes that are looked at in one step, and elements that one may write."""
WRITTEN = PICKED // 4
"""Elements that are written at a time: stores take longer than all else, and few lines are fuller than that."""
PICKS = WORDS and has("avx512vbmi2")
"""AVX-512 VBMI2 packs bytes and words. Elsewhere LLVM would store them one by one."""


def plain_pick(
    line: NDArray[np.uint8], at: np.uint64, indices: NDArray[Any], symbols: NDArray[np.uint8], place: np.uint64
) -> int:
    """Number of non-zero bytes among the `PICKED` from `at` on.

    Their places in the line go to `indices` and they, less one, to `symbols`, from `place` on; in the line they become
    zero. Whatever the number is, `PICKED` elements of both may be written. Compiled, it checks nothing.
    """
    columns = np.flatnonzero(line[at : at + np.uint64(PICKED)]) + int(at)
    end = place + np.uint64(len(columns))
    indices[place:end], symbols[place:end] = columns, line[columns] - 1
    line[columns] = 0
    return len(columns)


pick: Any = plain_pick


def _take_instructions() -> None:
    global pick
    from .pick_llvm import pick


before_compiling(_take_instructions)
