"""Sparse fully connected layer by AVX-512 permutes of 16-bit words, for shared weights.

Slices and groups are those of `slices`, with two slots of 16 bits for each lane: 8 bits of symbol, 7 of position. The
window of a group is x[base .. base + 63], or 127. Permutes fetch every lane's x from the window, and its weight from
the codebook, both in registers. They permute words, so x and the codebook are split into lower and upper words. Empty
slots have the symbol of a zero. The more weights a window holds, the fewer slots are empty; a window of 128 takes twice
the permutes, and pays where weights are few.

The order of a row's sums depends on the packing alone: a batch gives the same bits however it is split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32, I64, WHOLE, Call, Epilogue, LinearGeometry, Share, tag
from ..epilogue import epilogue_array
from ..weights import SparseWeights
from .slices import SAMPLES, U16, WORDS, Form, Slices, multiply_slices

SYMBOL_BITS = 8
MOST_CENTROIDS = 255
"""A codebook needs one more entry, a zero for empty slots."""
AHEAD = 8192
"""Elements of the stream to prefetch ahead: 16 KiB."""


@inlined
def _sum_slice(tag: Any, operands: Any, first: int, last: int, sample: int) -> Any:
    """Sums of the 16 rows of a slice, two vectors for each of ``len(tag) / 2`` samples: see `multiply_slices`."""
    window, low, high, planes, plane, stream, bases = operands
    sums, at = simd.zeros(tag), 2 * sample * plane
    for group in range(first, last):
        slots = group * WORDS
        simd.prefetch_l2(stream, slots + AHEAD)
        indices = simd.load_words((0,), stream, slots)
        weights = simd.table_lookup(low, high, indices, 0)
        sums = simd.fma_table_lookup(
            sums, weights, indices, SYMBOL_BITS, window, planes, at + simd.get(bases, group), plane
        )
    return sums


@kernel
def linear_windowed(
    window: Any,
    book_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    planes: U16,
    stream: U16,
    bases: NDArray[Any],
    starts: I64,
    rows: NDArray[np.int32],
    codebook: U16,
    epilogue: F32,
    batch: int,
    with_residual: bool,
    first_slice: int,
    last_slice: int,
) -> None:
    """Multiply a batch by some of the slices.

    Parameters
    ----------
    window : Tag
        As long as a window has vectors of words: 2 or 4.
    book_tag : Tag
        As long as the codebook has vectors of words: 1, 2, 4 or 8.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only if `with_residual`.
    scratch : ndarray of float32, flat
        Sums of a slice.
    planes : ndarray of uint16, flat
        Scratch for the samples: of each the lower words, then the upper ones, with room for a window behind.
    stream : ndarray of uint16, shape (32 * groups,)
    bases : ndarray of uint16 or int32, shape (groups,)
    starts : ndarray of int64, shape (slices + 1,)
        First group of each slice.
    rows : ndarray of int32, shape (16 * slices,)
        Output of each lane; -1 for none.
    codebook : ndarray of uint16
        Lower words, then upper words, whole vectors of each.
    epilogue : ndarray of float32
        See `kernels.epilogue`; scale and shift by lane.
    """
    features, plane = len(x) // batch, len(planes) // (2 * batch)
    for sample in range(batch):
        for k in range(0, features, LANES):
            vector = simd.load_masked(x, sample * features + k, 0, features - k)
            simd.store_split_words(planes, 2 * sample * plane + k, plane, vector)
    low, high = simd.load_words(book_tag, codebook, 0), simd.load_words(book_tag, codebook, len(codebook) // 2)
    operands, four, one = (window, low, high, planes, plane, stream, bases), (0, 0, 0, 0, 0, 0, 0, 0), (0, 0)
    multiply_slices(
        _sum_slice, operands, four, one, out, residual, scratch, starts, rows, epilogue, batch, with_residual,
        first_slice, last_slice,
    )  # fmt: skip


@dataclass(frozen=True)
class Windowing(LinearGeometry):
    """A fully connected layer whose inputs are seen through windows.

    Attributes
    ----------
    window : int
        Columns of a window: 64, which may begin anywhere, or 128, which begin at a vector, as they are many loads.
    """

    window: int


class LinearWindowed:
    """A fully connected layer packed for `linear_windowed`.

    Parameters
    ----------
    weight : Tensor
        Shared, with at most `MOST_CENTROIDS` centroids.
    geometry : Windowing
    epilogue : Epilogue
    """

    kernel_name = "linear_windowed"

    def __init__(self, weight: Tensor, geometry: Windowing, epilogue: Epilogue) -> None:
        weights, window = SparseWeights.of(weight), geometry.window
        zero, step = len(weights.codebook), 1 if window == 64 else WORDS
        form = Form(2, 16, SYMBOL_BITS, window, step, geometry.in_features, zero)
        self._slices = Slices(weights, geometry.in_features, form)
        vectors = 1 << (zero // WORDS).bit_length()
        book = np.zeros(vectors * WORDS, np.float32)
        book[:zero] = weights.codebook
        self._codebook = np.ascontiguousarray(book.view(np.uint16).reshape(-1, 2).T).reshape(-1)
        self._tags = tag(window // WORDS), tag(vectors)
        self._tail = (
            *(epilogue_array(epilogue, geometry.out_features, self._slices.rows), geometry.batch, epilogue.residual),
        )
        plane = -(-(geometry.in_features + window) // WORDS) * WORDS
        self._sums, self._planes = 2 * SAMPLES * LANES, 2 * plane * geometry.batch
        self.scratch_elements = self._sums + self._planes // 2
        self.weight_bytes = self._slices.nbytes + self._codebook.nbytes

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        flat_out = out.reshape(-1)
        flat_residual = flat_out if residual is None else residual.reshape(-1)
        planes = scratch[self._sums : self.scratch_elements].view(np.uint16)
        buffers = (x.reshape(-1), flat_out, flat_residual, scratch, planes)
        w = self._slices
        weights = (w.stream, w.bases, w.starts, w.rows, self._codebook)
        return [(linear_windowed, (*self._tags, *buffers, *weights, *self._tail, *w.divide(share)))]
