"""The closed set of encodings: how a tensor's payload may be laid out."""

from __future__ import annotations

from enum import StrEnum
from math import prod

from ..graph.graph import Shape

SHAREABLE = ("F32", "F16")
"""Element types of the encodings of format 1.0 other than `raw`."""


class Encoding(StrEnum):
    """How a tensor's payload is laid out; the name stands in the manifest.

    Those of format 1.1 have names of their own, so that a reader of 1.0 refuses them by name. Each is laid out as its
    `kind`: ``_any`` is for the other element types, ``_scaled`` has one scale a row in front.
    """

    RAW = "raw"
    SHARED = "shared"
    SPARSE_SHARED = "sparse_shared"
    SPARSE_RAW = "sparse_raw"
    SHARED_ANY = "shared_any"
    SPARSE_SHARED_ANY = "sparse_shared_any"
    SPARSE_RAW_ANY = "sparse_raw_any"
    SHARED_SCALED = "shared_scaled"
    SPARSE_SHARED_SCALED = "sparse_shared_scaled"

    @property
    def kind(self) -> Encoding:
        """The encoding of format 1.0 that has this layout."""
        return Encoding(self.value.removesuffix("_any").removesuffix("_scaled"))

    @property
    def scaled(self) -> bool:
        """Whether symbols stand for levels, of which the scale of each row makes weights."""
        return self.value.endswith("_scaled")

    @property
    def minor_version(self) -> int:
        """Minor version of the format that brought it."""
        return int(self != self.kind)

    def for_dtype(self, dtype: str) -> Encoding:
        """The encoding of this kind for an element type."""
        return self if dtype in SHAREABLE else Encoding(f"{self}_any")

    def fits(self, dtype: str, shape: Shape) -> bool:
        """Whether a tensor of this element type and shape may have it."""
        if self == Encoding.RAW:
            return True
        if self.scaled:
            return dtype == "F32" and len(shape) >= 2 and prod(shape) > 0
        return self == self.kind.for_dtype(dtype) and prod(shape) > 0
