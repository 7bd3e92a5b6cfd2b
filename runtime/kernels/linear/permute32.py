"""Sparse fully connected layer by AVX-512 permutes of 32-bit elements, three weights in each: codebooks of up to 32.

Slices and groups are those of `slices`, with three slots of 10 bits for each lane: 5 bits of symbol, 5 of position. The
window of a group is x[base .. base + 30], with a zero behind it, the position of empty slots. Window and codebook are
two vectors each, so that one permute fetches every lane's x, and another its weight.

The windows of `linear_windowed` are twice as wide, so that fewer slots are empty. But here a slot takes two thirds of
the memory and of the permutes, which pays unless weights are few.

The order of a row's sums depends on the packing alone: a batch gives the same bits however it is split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32, I64, WHOLE, Call, Epilogue, LinearGeometry, Share
from ..epilogue import epilogue_array
from ..weights import SparseWeights
from .slices import SAMPLES, Form, Slices, multiply_slices

U32 = NDArray[np.uint32]
MOST_SHARED = 32
"""Entries of a codebook."""
WINDOW = 31
"""Columns of a window."""
SYMBOL_BITS, POSITION_BITS = 5, 5
SLOTS = 3
EMPTY = WINDOW << SYMBOL_BITS
"""An empty slot: the position of the zero."""
AHEAD = 4096
"""Elements of the stream to prefetch ahead: 16 KiB."""


@inlined
def _sum_slice(tag: Any, operands: Any, first: int, last: int, sample: int) -> Any:
    """Sums of the 16 rows of a slice, three vectors for each of ``len(tag) / 3`` samples: see `multiply_slices`."""
    book, stream, bases, x, features = operands
    sums, at = simd.zeros(tag), sample * features
    for group in range(first, last):
        simd.prefetch_l2(stream, group * LANES + AHEAD)
        sums = simd.fma_triples(sums, book, stream, group * LANES, x, at + simd.get(bases, group), features)
    return sums


@kernel
def linear_triples(
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    stream: U32,
    bases: NDArray[Any],
    starts: I64,
    rows: NDArray[np.int32],
    codebook: F32,
    epilogue: F32,
    batch: int,
    with_residual: bool,
    first_slice: int,
    last_slice: int,
) -> None:
    """Multiply a batch by some of the slices.

    Parameters
    ----------
    x, out, residual : ndarray of float32, flat
        Activations, at least `WINDOW` a sample; `residual` is read only if `with_residual`.
    scratch : ndarray of float32, flat
        Sums of a slice.
    stream : ndarray of uint32, shape (16 * groups,)
    bases : ndarray of uint16 or int32, shape (groups,)
        At most ``features - WINDOW``.
    starts : ndarray of int64, shape (slices + 1,)
        First group of each slice.
    rows : ndarray of int32, shape (16 * slices,)
        Output of each lane; -1 for none.
    codebook : ndarray of float32, shape (32,)
        Finite.
    epilogue : ndarray of float32
        See `kernels.epilogue`; scale and shift by lane.
    """
    operands = simd.load((0, 0), codebook, 0), stream, bases, x, len(x) // batch
    four, one = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (0, 0, 0)
    multiply_slices(
        _sum_slice, operands, four, one, out, residual, scratch, starts, rows, epilogue, batch, with_residual,
        first_slice, last_slice,
    )  # fmt: skip


class LinearTriples:
    """A fully connected layer packed for `linear_triples`.

    Parameters
    ----------
    weight : Tensor
        Shared, with a finite codebook of at most `MOST_SHARED`.
    geometry : LinearGeometry
        `WINDOW` to `slices.MOST_FEATURES` inputs.
    epilogue : Epilogue
    """

    kernel_name = "linear_triples"
    scratch_elements = SLOTS * SAMPLES * LANES

    def __init__(self, weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> None:
        weights = SparseWeights.of(weight)
        bits, last = SYMBOL_BITS + POSITION_BITS, geometry.in_features - WINDOW
        form = Form(SLOTS, bits, SYMBOL_BITS, WINDOW, 1, last, EMPTY)
        self._slices = Slices(weights, geometry.in_features, form)
        self._codebook = np.zeros(MOST_SHARED, np.float32)
        self._codebook[: len(weights.codebook)] = weights.codebook
        self._tail = (
            *(epilogue_array(epilogue, geometry.out_features, self._slices.rows), geometry.batch, epilogue.residual),
        )
        self.weight_bytes = self._slices.nbytes + self._codebook.nbytes

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        flat_out = out.reshape(-1)
        flat_residual = flat_out if residual is None else residual.reshape(-1)
        buffers = (x.reshape(-1), flat_out, flat_residual, scratch)
        w = self._slices
        weights = (w.stream.view(np.uint32), w.bases, w.starts, w.rows, self._codebook)
        return [(linear_triples, (*buffers, *weights, *self._tail, *w.divide(share)))]
