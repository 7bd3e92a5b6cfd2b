"""The table of writers: our operators as ONNX's, one file a family. Axes of ours do not count the batch."""

from __future__ import annotations

from collections.abc import Mapping

from . import elementwise, layers, norms, products, recurrent, reductions, shapes
from .use import Use, Writer

__all__ = ["WRITERS", "Use"]

FAMILIES: tuple[Mapping[str, Writer], ...] = tuple(
    family.WRITERS for family in (elementwise, layers, norms, products, recurrent, reductions, shapes)
)
WRITERS: dict[str, Writer] = {op: writer for family in FAMILIES for op, writer in family.items()}
"""By our operator; a writer appends nodes and gives the name of what they make."""
