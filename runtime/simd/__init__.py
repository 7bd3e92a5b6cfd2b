"""Vectors of 16 float32 lanes for kernels.

A `Vectors` value is one or more such vectors that a kernel keeps in registers, e.g. the accumulators of a tile. How
many is told by the length of a *tag*, a tuple of anything (`contract.tag` makes those that kernels are given): the
type of the tag, and so the machine code, depends on it.
Addresses are a flat array and the index of an element.

Compiled, these are generic LLVM vectors, which become AVX-512, AVX2 or NEON code, and **nothing is checked**, neither
bounds nor alignment. With ``NUMBA_DISABLE_JIT=1`` they are NumPy, and every access is checked: the same kernels, run
so, prove their packers.
"""

from __future__ import annotations

from numba import config

if config.DISABLE_JIT:
    from .reference.core import (
        add,
        evens,
        fma,
        fma_dots,
        fma_grid,
        fma_picked,
        fma_rows,
        fma_shifted,
        fma_triples,
        fma_vectors,
        gather,
        get,
        greater,
        greater_pairs,
        least,
        load,
        load_apart,
        load_grid,
        load_lanes,
        load_masked,
        load_rows,
        load_words,
        maximum,
        minimum,
        next_lanes,
        pick,
        pool_grid,
        prefetch,
        prefetch_far,
        prefetch_rows,
        put,
        put_group,
        scale_shift,
        store,
        store_grid,
        store_masked,
        store_rows,
        store_together,
        store_words,
        total,
        transpose,
        weight,
        zeros,
    )
    from .reference.slide import join_halves, slide_down, slide_up
    from .reference.stream import four_offset, four_weight, four_words, word_offset, word_weight
    from .reference.winograd import winograd_inputs, winograd_outputs, winograd_weights, winograd_window
else:
    from .llvm.core import (
        add,
        evens,
        fma,
        fma_dots,
        fma_rows,
        fma_vectors,
        get,
        load,
        load_lanes,
        load_masked,
        load_rows,
        maximum,
        minimum,
        prefetch,
        prefetch_rows,
        put,
        scale_shift,
        store,
        store_masked,
        store_rows,
        total,
        weight,
        zeros,
    )
    from .llvm.grid import fma_grid, fma_shifted, greater, greater_pairs, load_grid, pool_grid, store_grid, transpose
    from .llvm.permute import (
        fma_picked,
        fma_triples,
        gather,
        least,
        load_words,
        pick,
        prefetch_far,
        put_group,
        store_words,
    )
    from .llvm.slide import join_halves, slide_down, slide_up
    from .llvm.stream import four_offset, four_weight, four_words, word_offset, word_weight
    from .llvm.winograd import (
        load_apart,
        next_lanes,
        store_together,
        winograd_inputs,
        winograd_outputs,
        winograd_weights,
        winograd_window,
    )

LANES = 16

__all__ = [
    "LANES",
    "add",
    "evens",
    "fma",
    "fma_dots",
    "fma_grid",
    "fma_picked",
    "fma_rows",
    "fma_shifted",
    "fma_triples",
    "fma_vectors",
    "four_offset",
    "four_weight",
    "four_words",
    "gather",
    "get",
    "greater",
    "greater_pairs",
    "join_halves",
    "least",
    "load",
    "load_apart",
    "load_grid",
    "load_lanes",
    "load_masked",
    "load_rows",
    "load_words",
    "maximum",
    "minimum",
    "next_lanes",
    "pick",
    "pool_grid",
    "prefetch",
    "prefetch_far",
    "prefetch_rows",
    "put",
    "put_group",
    "scale_shift",
    "slide_down",
    "slide_up",
    "store",
    "store_grid",
    "store_masked",
    "store_rows",
    "store_together",
    "store_words",
    "total",
    "transpose",
    "weight",
    "winograd_inputs",
    "winograd_outputs",
    "winograd_weights",
    "winograd_window",
    "word_offset",
    "word_weight",
    "zeros",
]
