"""``_scaled``: a scale for each row, and a payload of levels, of which the scales make weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ..graph.graph import Shape
from ..tensors import Dense, SparseRaw
from .base import LEVELS, Counted, Description, Payload, Scheme
from .header import Header
from .row_scales import SIGN, level_values
from .shared import SharedPayload, SharedScheme
from .sparse import EmptySharedPayload, SparseSharedPayload, SparseSharedScheme


@dataclass(frozen=True, eq=False, kw_only=True)
class ScaledPayload(Payload):
    """Levels, and what they are multiplied with.

    Attributes
    ----------
    scales : ndarray of float32, shape (shape[0],)
        Row by row.
    levels : Payload
    """

    scales: NDArray[np.float32]
    levels: SharedPayload | SparseSharedPayload | EmptySharedPayload

    def decode(self) -> Dense | SparseRaw:
        """Decode the levels and scale them.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        if isinstance(self.levels, SharedPayload):
            shared = self.levels.decode()
            weights = level_values(shared.codebook)[shared.symbols].reshape(self.shape[0], -1)
            weights *= self.scales[:, None]
            return Dense(weights.reshape(self.shape), self.dtype)
        sparse = self.levels.decode()
        weights = level_values(sparse.codebook)[sparse.symbols]
        weights *= np.repeat(self.scales, np.diff(sparse.indptr))
        return SparseRaw(self.shape, sparse.indptr, sparse.indices, weights, self.dtype)

    def describe(self) -> Description:
        """That of the levels, with the scales among the numbers that weights are made of."""
        levels = self.levels.describe()
        return replace(levels, centroids=levels.centroids + len(self.scales))


class ScaledScheme(Scheme):
    """Scales, and levels in another scheme: for matrices of float32 with a grid of its own in each row.

    Parameters
    ----------
    levels : SharedScheme or SparseSharedScheme
        The scheme of the levels.
    """

    def __init__(self, levels: SharedScheme | SparseSharedScheme) -> None:
        self.levels = levels

    def fits(self, dtype: str, shape: Shape) -> bool:
        """Whether a tensor is float32, and has rows and an element."""
        return dtype == "F32" and len(shape) >= 2 and prod(shape) > 0

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor that has too many distinct weights for a codebook, but few levels."""
        if tensor.counts is not None or tensor.levels is None:
            return None
        scales, levels = tensor.levels
        payload = self.levels.write(levels)
        return b"".join([scales.astype("<f4").tobytes(), payload]) if payload is not None else None

    def parse(self, header: Header) -> ScaledPayload:
        """Read the scales, and what stands before the streams of the levels."""
        begin, rows = header.offset, header.shape[0]
        header.skip(4 * rows, "scales")
        scales = np.frombuffer(header.data, "<f4", rows, begin)
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise FormatError("scales: not all are positive numbers")
        levels = self.levels.parse(Header(header.data, header.offset, header.shape, LEVELS))
        if not isinstance(levels, EmptySharedPayload):
            largest = float(scales.max()) * int((levels.codebook & (SIGN - 1)).max())
            if largest > float(np.finfo(np.float32).max):
                raise FormatError("levels times scales pass the largest float", found=largest)
        return ScaledPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=levels.end,
            parts={**levels.parts, "codebook": levels.parts.get("codebook", 0) + scales.nbytes},
            scales=scales,
            levels=levels,
        )
