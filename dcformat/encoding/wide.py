"""`shared_wide`: a codebook of more centroids than a byte numbers, and planes of their numbers.

For tensors of some hundred or thousand distinct values, such as biases that were shared with the weights of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.errors import FormatError
from ..coding.bits import write_varint
from ..coding.codebook import write_codebook
from ..constants import MAX_WIDE_CODEBOOK
from ..tensors import Array, Dense, bit_patterns
from .base import LEVELS, Counted, Description, ElementScheme, Payload
from .header import Header, layout_byte
from .planes import WIDE, PlanesPayload, PlanesScheme


@dataclass(frozen=True, eq=False, kw_only=True)
class WidePayload(Payload):
    """A codebook, and planes of symbols.

    Attributes
    ----------
    codebook : ndarray, shape (k,)
    symbols : PlanesPayload
        Of 16 bits each.
    """

    codebook: Array
    symbols: PlanesPayload

    def decode(self) -> Dense:
        """Decode the symbols, and look them up.

        Raises
        ------
        FormatError
            A stream that does not decode to its length, or a symbol beyond the codebook.
        """
        symbols = self.symbols.decode().array
        if int(symbols.max()) >= len(self.codebook):
            raise FormatError(
                "a symbol is beyond the codebook", expected=f"below {len(self.codebook)}", found=int(symbols.max())
            )
        return Dense(self.codebook[symbols], self.dtype)

    def describe(self) -> Description:
        """The codebook."""
        return Description(codebook_size=len(self.codebook), centroids=len(self.codebook))


class WideScheme(ElementScheme):
    """Symbols of 16 bits, in planes.

    Parameters
    ----------
    planes : PlanesScheme
        The scheme of the symbols.
    """

    def __init__(self, planes: PlanesScheme) -> None:
        super().__init__(WIDE)
        self.planes = planes

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor of too many distinct elements for a codebook of bytes, and few enough for this one."""
        if tensor.counts is not None or tensor.patterns is None:
            return None
        symbols = np.searchsorted(tensor.patterns, bit_patterns(tensor.array)).astype("<u2")
        planes = self.planes.write(Counted(symbols.reshape(tensor.array.shape), LEVELS))
        if planes is None:
            return None
        form, codebook = write_codebook(tensor.patterns.view(tensor.array.dtype))
        out = bytearray([layout_byte(form)])
        write_varint(out, len(tensor.patterns))
        return b"".join([out, codebook, planes])

    def parse(self, header: Header) -> WidePayload:
        """Read the codebook, and what stands before the streams of the symbols."""
        form = header.dense_layout()
        codebook, codebook_bytes = header.codebook(form, MAX_WIDE_CODEBOOK)
        symbols = self.planes.parse(Header(header.data, header.offset, header.shape, LEVELS))
        return WidePayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=symbols.end,
            parts={
                "codebook": codebook_bytes,
                "tables": 1 + symbols.parts["tables"],
                "symbols": symbols.parts["values"],
            },
            codebook=codebook,
            symbols=symbols,
        )
