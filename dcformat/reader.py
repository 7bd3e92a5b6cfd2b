"""Read a container."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .graph import Graph, Shape
from .preprocess import Preprocess
from .tensors import Array, SparseRaw, SparseShared, Tensor


@dataclass(frozen=True)
class TensorEntry:
    name: str
    shape: Shape
    dtype: str      # a key of tensors.DTYPES
    encoding: str   # "raw", "shared", "sparse_shared", "sparse_raw"


class Container:
    path: str
    format_version: str                     # "1.0"
    graph: Graph | None                     # None: weights only
    entries: Mapping[str, TensorEntry]      # in stored order
    preprocess: Preprocess | None
    labels: list[str] | None
    metadata: Mapping[str, str]

    def decode(self, name: str) -> Tensor:
        """Decoded form as stored."""
        raise NotImplementedError

    def tensor(self, name: str) -> Array:
        """Dense ndarray (BF16: uint16 bits)."""
        raise NotImplementedError

    def csr(self, name: str) -> SparseShared | SparseRaw:
        raise NotImplementedError

    def info(self) -> dict[str, Any]:
        """What `dcz info --json` prints (DESIGN.md)."""
        raise NotImplementedError

    def verify(self) -> list[str]:
        """Check every checksum and decode everything; returns the problems."""
        raise NotImplementedError

    def close(self) -> None: ...
    def __enter__(self) -> "Container": return self
    def __exit__(self, *exc: object) -> None: self.close()


def open(path: str | os.PathLike[str]) -> Container:
    raise NotImplementedError
