"""`raw`: the elements as they are, for tensors of any type and shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from ...core.errors import FormatError
from ..coding.bits import Bytes
from ..graph.graph import Shape
from ..tensors import DTYPES, Array, Dense, flat_pieces
from .base import Counted, Description, Payload, Scheme
from .header import Header


def plain_elements(data: Bytes, dtype: str, count: int, end: int) -> Array:
    """View elements that lie plainly in the data and end at some byte.

    Raises
    ------
    FormatError
        A boolean that is neither 0 nor 1.
    """
    numpy_type = DTYPES[dtype]
    values = np.frombuffer(data, numpy_type, count, end - count * numpy_type.itemsize)
    if dtype == "BOOL" and (values.view(np.uint8) > 1).any():
        raise FormatError("elements: a boolean is neither 0 nor 1")
    return values


@dataclass(frozen=True, eq=False, kw_only=True)
class RawPayload(Payload):
    """Plain elements."""

    def _elements(self) -> Array:
        return plain_elements(self.data, self.dtype, prod(self.shape), self.end)

    def decode(self) -> Dense:
        """Copy the elements."""
        return Dense(self._elements().copy().reshape(self.shape), self.dtype)

    def pieces(self) -> Iterator[Array]:
        """Views of the data, flat."""
        return (piece for (piece,) in flat_pieces(self._elements()))

    def describe(self) -> Description:
        """Nothing but the bytes of `parts`."""
        return Description()


class RawScheme(Scheme):
    """Plain elements."""

    def fits(self, dtype: str, shape: Shape) -> bool:
        """Every tensor may be raw."""
        return True

    def write(self, tensor: Counted) -> Bytes:
        """View the elements, where they lie in memory as in the file."""
        return tensor.array.reshape(-1).view(np.uint8).data

    def parse(self, header: Header) -> RawPayload:
        """Check that the elements are there."""
        nbytes = header.size * DTYPES[header.dtype].itemsize
        header.skip(nbytes, "elements")
        return RawPayload(
            shape=header.shape, dtype=header.dtype, data=header.data, end=header.offset, parts={"values": nbytes}
        )
