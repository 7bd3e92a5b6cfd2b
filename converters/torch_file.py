"""Writer of ``.pt`` files, tensor by tensor: ``torch.save`` needs all of them in memory.

A zip archive of stored records: a pickle of the state dict that names each tensor's storage, and the storages. The
pickle uses names of older files, which ``torch.load`` has to support for ever.
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
"""Typed storages. Tensors of other element types have an untyped storage, and state their type themselves."""
ALIGNMENT = 64
"""Alignment of storages in the file, for readers that map it."""
RECORD_HEADER = 30 + 20 + 4
"""Bytes before a record without its name: the local header, 64-bit sizes, and the header of the padding field."""


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
        A function from a name to the elements of the tensor, in contiguous arrays.
    tied : mapping of str to str, optional
        Further names of tensors, each with its name in `entries`. They are loaded as one tensor.

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
    record = zipfile.ZipInfo(f"archive/{name}")  # a fixed date, so that equal containers give equal files
    filler = -(archive.start_dir + RECORD_HEADER + len(record.filename)) % ALIGNMENT
    record.extra = b"FB" + filler.to_bytes(2, "little") + bytes(filler)  # the padding of torch
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
        """The function that torch calls to rebuild the tensor, and its arguments."""
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
        """Persistent id of a storage, as in torch."""
        return ("storage", value.kind, value.key, "cpu", value.elements) if isinstance(value, _Storage) else None

    def reducer_override(self, value: Any) -> Any:
        """Pickle a placeholder as the tensor that it stands for."""
        return value.rebuild() if isinstance(value, _Tensor) else NotImplemented


def _pickled(entries: Mapping[str, TensorEntry], tied: Mapping[str, str]) -> bytes:
    tensors = {name: _Tensor(entry, str(key)) for key, (name, entry) in enumerate(entries.items())}
    out = io.BytesIO()
    _Pickler(out, protocol=2).dump(tensors | {name: tensors[stored] for name, stored in tied.items()})
    return out.getvalue()
