"""`shared`: every weight is a symbol of a codebook."""

from __future__ import annotations

from dataclasses import dataclass

from ..coding.bits import write_varint
from ..coding.entropy import EntropyCode, Streams
from ..constants import CHUNK_ENTRIES, MAX_CODEBOOK
from ..tensors import Array, Shared, bit_patterns
from .base import Counted, Description, ElementScheme, Payload
from .header import Header, Symbols, chunk_sizes, layout_byte, write_tables


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedPayload(Payload):
    """A codebook, and a symbol for each weight.

    Attributes
    ----------
    codebook : ndarray, shape (k,)
    symbols : Streams
    """

    codebook: Array
    symbols: Streams

    def decode(self) -> Shared:
        """Decode the symbols.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        return Shared(self.shape, self.codebook, self.symbols.decode(), self.dtype)

    def describe(self) -> Description:
        """Codebook and symbols."""
        size = len(self.codebook)
        return Description(codebook_size=size, centroids=size, streams={"symbols": self.symbols})


class SharedScheme(ElementScheme):
    """Symbols for all weights, zeros among them.

    Parameters
    ----------
    dtypes : set of str
        Element types that it is for.
    coder : class of EntropyCode
        What codes the symbols.
    """

    def __init__(self, dtypes: frozenset[str], coder: type[EntropyCode]) -> None:
        super().__init__(dtypes)
        self.coder = coder

    def write(self, tensor: Counted) -> bytes | None:
        """Layout byte, codebook, code, chunk table, streams; None for too many distinct weights, or too many zeros."""
        if tensor.counts is None:
            return None
        size, counts = tensor.array.size, tensor.counts
        if tensor.zeros:
            counts = {0: tensor.zeros, **counts}
        # Up to this density a code of at least one bit a zero cannot win against gaps.
        if len(counts) > MAX_CODEBOOK or (size - tensor.zeros) * 8 <= size:
            return None
        symbols = Symbols.of(counts, tensor.array.dtype, self.coder, tensor.tables_count)
        if symbols.cost > 8 * tensor.most:
            return None
        bits = bit_patterns(tensor.array)
        out = bytearray([layout_byte(symbols.form)])
        symbols.write_codebook(out)
        out += write_tables(symbols.code)
        streams = [symbols.encode(bits[i : i + CHUNK_ENTRIES]) for i in range(0, size, CHUNK_ENTRIES)]
        for stream in streams:
            write_varint(out, len(stream))
        return b"".join([out, *streams])

    def parse(self, header: Header) -> SharedPayload:
        """Read what stands before the streams."""
        form = header.dense_layout()
        codebook, codebook_bytes = header.codebook(form)
        (code,) = header.codes(self.coder, len(codebook))
        table = header.chunk_table(header.size, {"bytes": len(header.data)})
        tables = header.offset - header.start - codebook_bytes
        symbols = header.streams("symbols", table["bytes"], chunk_sizes(header.size), code)
        return SharedPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={"codebook": codebook_bytes, "tables": tables, "symbols": symbols.nbytes},
            codebook=codebook,
            symbols=symbols,
        )
