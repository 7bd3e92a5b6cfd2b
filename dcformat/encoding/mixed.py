"""`mixed`: shared weights, each decision coded with a probability that is mixed from many contexts.

The densest encoding of weights, and the slowest to decode. Bytes are laid out in `docs/format.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.errors import FormatError
from ..coding.bits import write_varint
from ..coding.codebook import write_codebook
from ..coding.mixed_contexts import Ranks
from ..coding.mixed_ranks import Form, decode_ranks, encode_ranks
from ..graph.graph import Shape
from ..tensors import Array, Shared, SparseShared, bit_patterns, index_dtype
from .base import Counted, Description, ElementScheme, Payload
from .context import dense_again, positive_of
from .context_layout import kernel_shape, row_size
from .header import Header, layout_byte


def form_of(shape: Shape, swapped: bool, stored: int, codebook: Array) -> Form:
    """What is known of a tensor before its ranks; its first two axes may be swapped."""
    (rows, columns), (height, width) = row_size(shape), kernel_shape(shape)
    channels, positive = columns // (height * width), positive_of(codebook)
    if swapped:
        rows, channels = channels, rows
    return Form(rows, channels, height * width, width, stored, positive, len(codebook) - positive)


def _swap(ranks: Ranks, form: Form) -> Ranks:
    """Swap the first two axes of what has this form."""
    swapped = ranks.reshape(form.rows, form.channels, form.kernel_size).swapaxes(0, 1)
    return np.ascontiguousarray(swapped).reshape(-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class MixedPayload(Payload):
    """A codebook, and a stream of decisions.

    Attributes
    ----------
    codebook : ndarray, shape (k,)
        No zero in it.
    form : Form
    swapped : bool
        Whether the ranks have the first two axes swapped.
    nbytes : int
        Of the stream, which ends the payload.
    """

    codebook: Array
    form: Form
    swapped: bool
    nbytes: int

    def decode(self) -> Shared | SparseShared:
        """Decode the ranks.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        ranks = decode_ranks(memoryview(self.data)[self.end - self.nbytes : self.end], self.form)
        if self.swapped:
            ranks = _swap(ranks, self.form)
        places = np.flatnonzero(ranks != 0)  # NumPy finds what is true in half the time of what is not zero
        stored = ranks[places]
        symbols = np.where(stored > 0, stored - 1, self.form.positive - 1 - stored).astype(np.uint8)
        if self.form.stored == self.form.size:
            return Shared(self.shape, self.codebook, symbols, self.dtype)
        rows, columns = row_size(self.shape)
        indptr = np.searchsorted(places, np.arange(rows + 1) * columns)
        indices = (places % columns).astype(index_dtype(columns))
        return dense_again(SparseShared(self.shape, indptr, indices, self.codebook, symbols, self.dtype))

    def describe(self) -> Description:
        """Stored weights and codebook."""
        return Description(self.form.stored, codebook_size=len(self.codebook), centroids=len(self.codebook))


class MixedScheme(ElementScheme):
    """Whether each weight is stored, its sign and its size, by what stands around it."""

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor of few distinct weights; None also past the limit of weights a byte."""
        if not tensor.counts:
            return None
        bits = np.array(sorted(tensor.counts), dtype=f"<u{tensor.array.dtype.itemsize}")
        codebook = bits.view(tensor.array.dtype)
        positive = positive_of(codebook)
        rank_of = np.array([0, *range(1, positive + 1), *range(-1, positive - len(bits) - 1, -1)], np.int16)
        ranks = rank_of[np.searchsorted(np.insert(bits, 0, 0), bit_patterns(tensor.array))]
        payloads = (_write(tensor, codebook, ranks, swapped) for swapped in (False, True))
        return min((payload for payload in payloads if payload is not None), key=len, default=None)

    def parse(self, header: Header) -> MixedPayload:
        """Read what stands before the stream."""
        gap_bits, swapped, codebook_form = header.layout()
        if gap_bits:
            raise FormatError("payload has no gaps, and a width of them", found=gap_bits)
        codebook, codebook_bytes = header.codebook(codebook_form)
        if not codebook.view(f"u{codebook.dtype.itemsize}").all():
            raise FormatError("codebook of a sparse tensor holds a zero")
        stored = header.varint(header.size, "number of stored weights")
        if stored == 0:
            raise FormatError("no weight is stored")
        nbytes = header.varint(len(header.data), "bytes of the stream")
        form = form_of(header.shape, swapped, stored, codebook)
        if not form.is_modest(nbytes):
            raise FormatError("more weights than so few bytes may stand for", found=header.size)
        of_head = header.offset - header.start - codebook_bytes
        header.skip(nbytes, "stream")
        return MixedPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={"codebook": codebook_bytes, "tables": of_head, "symbols": nbytes},
            codebook=codebook,
            form=form,
            swapped=swapped,
            nbytes=nbytes,
        )


def _write(tensor: Counted, codebook: Array, ranks: Ranks, swapped: bool) -> bytes | None:
    """The payload in one order of axes; None past the limit of weights a byte."""
    shape, stored = tensor.array.shape, tensor.array.size - tensor.zeros
    form = form_of(shape, swapped, stored, codebook)
    if not form.is_modest(tensor.array.nbytes):
        return None
    stream = encode_ranks(_swap(ranks, form_of(shape, False, stored, codebook)) if swapped else ranks, form)
    if not form.is_modest(len(stream)):
        return None
    codebook_form, written = write_codebook(codebook)
    out = bytearray([layout_byte(codebook_form, swapped=swapped)])
    write_varint(out, len(codebook))
    out += written
    write_varint(out, stored)
    write_varint(out, len(stream))
    return b"".join([out, stream])
