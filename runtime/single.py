"""The shortest way of a call in Python: one sample as the network takes it, of a network with one input and one output.

A compiled program has a shorter one still, `dcz.runtime.compiled.builtin`, unless threads share it.

With cold caches the objects and the code that Python touches on the way take as long as a small layer: each one is a
line or more to load from memory. So all that a call needs is bound here beforehand, and nothing else is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..dcformat import Shape
    from .engine import Runs
    from .kernels.contract import F32


def single_call(
    given: Shape, made: Shape, idle: deque[Runs], executor: Callable[[], Runs]
) -> Callable[..., F32 | None]:
    """Make a function that runs one sample.

    Parameters
    ----------
    given, made : tuple of int
        Shapes of input and output, without the batch axis.
    idle : deque of Runs
        Executors for one sample that nobody uses.
    executor : callable
        Makes another one.

    Returns
    -------
    callable
        ``call(*batch)``: the answer; None where that is anything but one contiguous ndarray of float32, shape
        ``(1, *given)``.
    """
    expected, shape, float32, ndarray = (1, *given), (1, *made), np.dtype(np.float32), np.ndarray
    empty: Callable[..., F32] = np.empty

    def call(*arguments: Any) -> F32 | None:
        if len(arguments) != 1:
            return None
        (batch,) = arguments
        if type(batch) is not ndarray or batch.dtype is not float32 or batch.shape != expected:
            return None
        if not batch.flags.c_contiguous:
            return None
        out = empty(shape, float32)
        try:
            runs = idle.pop()
        except IndexError:
            runs = executor()
        runs.run(arguments, (out,))
        idle.append(runs)
        return out

    return call
