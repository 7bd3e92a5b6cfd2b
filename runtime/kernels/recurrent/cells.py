"""One step of a recurrent layer, from the products of its weights with the input and with the state before.

Gates are as PyTorch orders them. What the input brings to them lies sample after sample, `steps` steps each; what the
state brings lies sample after sample.
"""

from __future__ import annotations

from typing import Any

from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from .. import functions
from ..contract import F32


@inlined
def _gate(given: F32, x: int, held: F32, h: int, some: int) -> Any:
    """What a gate is a function of."""
    return simd.add(simd.load_masked(given, x, 0, some), simd.load_masked(held, h, 0, some))


@kernel
def lstm_cell(given: F32, held: F32, hidden: F32, cell: F32, out: F32, size: int, step: int, keep_cell: bool) -> None:
    """A step of a long short-term memory (Hochreiter & Schmidhuber 1997): input, forget, cell and output gate.

    Parameters
    ----------
    given : ndarray of float32, flat
        Of shape (samples, steps, 4 * size): products with the input.
    held : ndarray of float32, flat
        Of shape (samples, 4 * size): products with the hidden state.
    hidden, cell : ndarray of float32, flat
        The state, of shape (samples, size); it becomes the next.
    out : ndarray of float32, flat
        Of shape (samples, steps, size): hidden states, or cell states if `keep_cell`.
    size : int
    step : int
    keep_cell : bool
    """
    samples = len(hidden) // size
    steps = len(out) // len(hidden)
    for sample in range(samples):
        at = sample * steps + step
        x, h, state, target = at * 4 * size, sample * 4 * size, sample * size, at * size
        for k in range(0, size, LANES):
            some = size - k
            i = functions.sigmoid(_gate(given, x + k, held, h + k, some))
            f = functions.sigmoid(_gate(given, x + size + k, held, h + size + k, some))
            g = functions.tanh(_gate(given, x + 2 * size + k, held, h + 2 * size + k, some))
            o = functions.sigmoid(_gate(given, x + 3 * size + k, held, h + 3 * size + k, some))
            before = simd.load_masked(cell, state + k, 0, some)
            after = simd.fma_vectors(f, before, simd.multiply(i, g))
            answer = simd.multiply(o, functions.tanh(after))
            simd.store_masked(cell, state + k, 0, some, after)
            simd.store_masked(hidden, state + k, 0, some, answer)
            simd.store_masked(out, target + k, 0, some, after if keep_cell else answer)


@kernel
def gru_cell(given: F32, held: F32, hidden: F32, out: F32, size: int, step: int) -> None:
    """A step of a gated recurrent unit (Cho et al. 2014): reset, update and new gate, as PyTorch defines it.

    The reset gate multiplies the new gate's product with the state, bias included. Parameters are as in `lstm_cell`,
    with three gates.
    """
    samples = len(hidden) // size
    steps = len(out) // len(hidden)
    for sample in range(samples):
        at = sample * steps + step
        x, h, state, target = at * 3 * size, sample * 3 * size, sample * size, at * size
        for k in range(0, size, LANES):
            some = size - k
            r = functions.sigmoid(_gate(given, x + k, held, h + k, some))
            z = functions.sigmoid(_gate(given, x + size + k, held, h + size + k, some))
            new = simd.load_masked(given, x + 2 * size + k, 0, some)
            n = functions.tanh(simd.fma_vectors(r, simd.load_masked(held, h + 2 * size + k, 0, some), new))
            before = simd.load_masked(hidden, state + k, 0, some)
            answer = simd.fma_vectors(z, simd.subtract(before, n), n)
            simd.store_masked(hidden, state + k, 0, some, answer)
            simd.store_masked(out, target + k, 0, some, answer)
