"""``.pt`` files, written tensor by tensor: ``torch.save`` wants all of them in memory.

A zip archive of stored records: a pickle of the state dict that names each tensor's storage, and the storages. The
names in the pickle are those that ``torch.load`` has to know for ever, since older files hold them.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import IO, Any, NamedTuple

import torch

from ..dcformat import TensorEntry
from ..dcformat.tensors import Array
from .frontends.arrays import STORABLE

STORAGES: dict[str, Any] = {
    "F64": torch.DoubleStorage,
    "F32": torch.FloatStorage,
    "F16": torch.HalfStorage,
    "BF16": torch.BFloat16Storage,
    "I64": torch.LongStorage,
    "I32": torch.IntStorage,
    "I16": torch.ShortStorage,
    "I8": torch.CharStorage,
    "U8": torch.ByteStorage,
    "BOOL": torch.BoolStorage,
}
"""Kinds of storage. Tensors of other element types lie in an untyped one, and name their type themselves."""
ALIGNMENT = 64
"""Of the storages in the file, for those who map it."""
RECORD_HEADER = 30 + 20 + 4
"""Bytes before a record, its name apart: a local header, its sizes in 64 bits, and the head of the filler."""


def write_torch(
    file: IO[bytes],
    entries: Mapping[str, TensorEntry],
    pieces: Callable[[str], Iterable[Array]],
    tied: Mapping[str, str] | None = None,
) -> None:
    """Write a state dict that ``torch.load(..., weights_only=True)`` reads, with ``mmap=True`` too.

    Parameters
    ----------
    file : binary file
        Seekable.
    entries : mapping of str to TensorEntry
    pieces : callable
        Elements of the tensor of a name, in order, in contiguous arrays.
    tied : mapping of str to str, optional
        Further names of tensors: the name in `entries` of each. They come back as one tensor.

    Raises
    ------
    OSError
    """
    with zipfile.ZipFile(file, "w") as archive:
        _add(archive, "data.pkl", [_pickled(entries, tied or {})])
        _add(archive, "byteorder", [b"little"])
        for key, name in enumerate(entries):
            _add(archive, f"data/{key}", (piece.data for piece in pieces(name)))
        _add(archive, "version", [b"3\n"])


def _add(archive: zipfile.ZipFile, name: str, parts: Iterable[bytes | memoryview]) -> None:
    record = zipfile.ZipInfo(f"archive/{name}")  # dated 1980, so that the same container gives the same file
    filler = -(archive.start_dir + RECORD_HEADER + len(record.filename)) % ALIGNMENT
    record.extra = b"FB" + filler.to_bytes(2, "little") + bytes(filler)  # as torch fills up
    with archive.open(record, "w", force_zip64=True) as stream:
        for part in parts:
            stream.write(part)


class _Storage(NamedTuple):
    """A record with a tensor's elements."""

    kind: Any
    key: str
    elements: int


class _Tensor(NamedTuple):
    """A tensor, without its elements."""

    entry: TensorEntry
    key: str

    def rebuild(self) -> tuple[Any, ...]:
        """What torch calls to make the tensor, and with what."""
        shape, dtype = self.entry.shape, self.entry.dtype
        strides = tuple(prod(max(1, extent) for extent in shape[axis + 1 :]) for axis in range(len(shape)))
        size = prod(shape)
        hooks: OrderedDict[str, Any] = OrderedDict()
        common = 0, shape, strides, False, hooks
        if dtype in STORAGES:
            return torch._utils._rebuild_tensor_v2, (_Storage(STORAGES[dtype], self.key, size), *common)
        kind = next(kind for kind, name in STORABLE.items() if name == dtype)
        untyped = _Storage(torch.UntypedStorage, self.key, size * kind.itemsize)
        return torch._utils._rebuild_tensor_v3, (untyped, *common, kind)


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> tuple[Any, ...] | None:
        """Name a storage as torch does."""
        return ("storage", value.kind, value.key, "cpu", value.elements) if isinstance(value, _Storage) else None

    def reducer_override(self, value: Any) -> Any:
        """Pickle the stand-in of a tensor as that tensor."""
        return value.rebuild() if isinstance(value, _Tensor) else NotImplemented


def _pickled(entries: Mapping[str, TensorEntry], tied: Mapping[str, str]) -> bytes:
    tensors = {name: _Tensor(entry, str(key)) for key, (name, entry) in enumerate(entries.items())}
    out = io.BytesIO()
    _Pickler(out, protocol=2).dump(tensors | {name: tensors[stored] for name, stored in tied.items()})
    return out.getvalue()
