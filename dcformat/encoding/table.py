"""The closed set of encodings: their names in the manifest and their schemes; which one a tensor gets.

A dense array goes to the fewest bytes that give it back bit for bit. Nothing is asked of the caller: zeros, shared
values, gap width and axis order are found by looking and counting.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from ...core.errors import FormatError
from ..coding.bits import Bytes
from ..coding.huffman_code import HuffmanCode
from ..graph.graph import Shape
from ..tensors import Dense
from .adaptive import AdaptiveScheme
from .base import LEVELS, OTHERS, SHAREABLE, Counted, Payload, Scheme
from .context import ContextScheme
from .header import Header
from .mixed import MixedScheme
from .planes import WIDE, PlanesScheme
from .raw import RawScheme
from .scaled import ScaledScheme
from .shared import SharedScheme
from .sparse import SparseRawScheme, SparseSharedScheme
from .wide import WideScheme

LEAST_GAIN = 64
"""Bytes that an encoding of format 1.1 has to save in a file of 1.0: older readers cannot read it then."""

LARGE = 1 << 17
"""Stored weights from which on the time of decoding is felt, and counts."""
LINK = 0.24
"""Bits that a nanosecond is worth, those of a link of 240 Mbit/s: of two payloads a large tensor gets the one that is
fetched and decoded sooner."""

_LEVELS = frozenset({LEVELS})
_RAW, _PLANES = RawScheme(), PlanesScheme(HuffmanCode)


class Encoding(StrEnum):
    """How a tensor's payload is laid out; the name stands in the manifest.

    A row is the name, the scheme, and the minor version of the format that brought it. Of encodings that take equally
    many bytes, a tensor gets the one that stands first.

    Attributes
    ----------
    scheme : Scheme
    minor_version : int
    """

    scheme: Scheme
    minor_version: int

    def __new__(cls, name: str, scheme: Scheme, minor_version: int) -> Encoding:
        """Make a member of a row."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.scheme = scheme
        member.minor_version = minor_version
        return member

    RAW = "raw", _RAW, 0
    SPARSE_SHARED = "sparse_shared", SparseSharedScheme(SHAREABLE, HuffmanCode), 0
    SHARED = "shared", SharedScheme(SHAREABLE, HuffmanCode), 0
    SPARSE_RAW = "sparse_raw", SparseRawScheme(SHAREABLE, HuffmanCode, _RAW), 0
    SPARSE_SHARED_ANY = "sparse_shared_any", SparseSharedScheme(OTHERS, HuffmanCode), 1
    SHARED_ANY = "shared_any", SharedScheme(OTHERS, HuffmanCode), 1
    SPARSE_RAW_ANY = "sparse_raw_any", SparseRawScheme(OTHERS, HuffmanCode, _RAW), 1
    SPARSE_SHARED_SCALED = "sparse_shared_scaled", ScaledScheme(SparseSharedScheme(_LEVELS, HuffmanCode)), 1
    SHARED_SCALED = "shared_scaled", ScaledScheme(SharedScheme(_LEVELS, HuffmanCode)), 1
    PLANES = "planes", _PLANES, 1
    SHARED_WIDE = "shared_wide", WideScheme(_PLANES), 1
    SPARSE_PLANES = "sparse_planes", SparseRawScheme(WIDE, HuffmanCode, _PLANES), 1
    CONTEXT = "context", ContextScheme(SHAREABLE), 1
    ADAPTIVE = "adaptive", AdaptiveScheme(), 1
    MIXED = "mixed", MixedScheme(SHAREABLE), 1

    def fits(self, dtype: str, shape: Shape) -> bool:
        """Whether a tensor of this element type and shape may have it."""
        return self.scheme.fits(dtype, shape)


_SLOW = frozenset({Encoding.MIXED})
_NEWEST = _SLOW | {
    Encoding.PLANES,
    Encoding.SHARED_WIDE,
    Encoding.SPARSE_PLANES,
    Encoding.CONTEXT,
    Encoding.ADAPTIVE,
}
DEFAULT = tuple(encoding for encoding in Encoding if encoding not in _SLOW)
"""Encodings that decode fast."""
CODECS: dict[str, tuple[Encoding, ...]] = {
    "default": DEFAULT,
    "huffman": tuple(encoding for encoding in Encoding if encoding not in _NEWEST),
    "smallest": tuple(Encoding),
}
"""Encodings to choose from, by the name of a codec.

``huffman`` lacks the newest, so that its files stay the same; ``smallest`` has those too that decode slowly.
"""


_SLOWER = {Encoding.CONTEXT: 2.7}
"""Nanoseconds that a stored weight takes longer to decode than one that is Huffman-coded: a thread of a Zen 4."""


def encode_tensor(
    tensor: Dense, among: Collection[Encoding] = DEFAULT, least_gain: int = LEAST_GAIN
) -> tuple[Encoding, Bytes]:
    """Encode a tensor in the encoding that takes the fewest bytes; a large one, where those count with its time.

    Time counts unless `among` has an encoding that decodes slowly.

    Takes memory for the payload twice, and for pieces of the tensor: some tens of MiB, however large it is.

    Parameters
    ----------
    tensor : Dense
        Any shape, any of `DTYPES`.
    among : collection of Encoding
        Encodings to choose from; `Encoding.RAW` is always one of them.
    least_gain : int
        Bytes that an encoding of format 1.1 has to save.

    Returns
    -------
    encoding : Encoding
    payload : bytes-like
        The same for the same tensor, always. Plain elements are a view of the tensor, not a copy.
    """
    ((encoding, payload),) = encode_at_gains(tensor, among, (least_gain,))
    return encoding, payload


def encode_at_gains(
    tensor: Dense, among: Collection[Encoding], least_gains: Sequence[int]
) -> list[tuple[Encoding, Bytes]]:
    """What `encode_tensor` gives at each of several least gains, for the work of one."""
    counted = Counted.of(tensor, tables_count=set(DEFAULT).issubset(among))
    fitting = [e for e in Encoding if e in {Encoding.RAW, *among} and e.fits(tensor.dtype, tensor.shape)]
    best: list[tuple[Encoding, Bytes]] = []
    # The newest first: most tensors get one of them, and the older ones see beforehand that they take more.
    for encoding in reversed(fitting):
        extra = [_extra(encoding, counted, gain, among) for gain in least_gains]
        if best:
            costs = [
                len(payload) + _extra(found, counted, gain, among)
                for (found, payload), gain in zip(best, least_gains, strict=True)
            ]
            counted.most = max(cost - more for cost, more in zip(costs, extra, strict=True))
        payload = encoding.scheme.write(counted)
        if payload is None:
            continue
        if not best:
            best = [(encoding, payload)] * len(least_gains)
            continue
        best = [
            (encoding, payload) if len(payload) + more <= cost else found
            for found, cost, more in zip(best, costs, extra, strict=True)
        ]
    return best


def _extra(encoding: Encoding, tensor: Counted, least_gain: int, among: Collection[Encoding]) -> int:
    """Bytes that an encoding is charged beside its payload: for its version, and for its time."""
    extra = least_gain if encoding.minor_version else 0
    if encoding not in _SLOWER or not _SLOW.isdisjoint(among):
        return extra
    stored = tensor.array.size - tensor.zeros
    return extra + int(_SLOWER[encoding] * LINK * stored / 8) if stored >= LARGE else extra


def encode_raw(tensor: Dense) -> Bytes:
    """Encode a tensor as its plain elements: a view of them, where they lie in memory as in the file."""
    return _RAW.write(Counted.of(tensor))


def parse(data: Bytes, offset: int, shape: Shape, dtype: str, encoding: Encoding) -> Payload:
    """Read the header of the payload at an offset; its `end` is where the next one starts.

    Parameters
    ----------
    data : bytes-like
        A section.
    offset : int
    shape, dtype, encoding
        What the manifest says of the tensor; its size has been checked against the file's limits.

    Raises
    ------
    FormatError
        Any length or count that does not fit.
    """
    if not encoding.fits(dtype, shape):
        raise FormatError(f"a tensor of {dtype}, shape {list(shape)} cannot be {encoding}")
    return encoding.scheme.parse(Header(data, offset, shape, dtype))
