"""Write a container: encode, lay out, write beside the target, rename."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .graph import Graph
from .preprocess import Preprocess
from .tensors import Array, Dense


def write(
    path: str | os.PathLike[str],
    graph: Graph | None,
    tensors: Mapping[str, Array | Dense],
    *,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    raise NotImplementedError
