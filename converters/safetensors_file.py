"""Writer of ``.safetensors`` files, tensor by tensor: the library's own writer needs all of them in memory.

Bytes of the header as u64, the header (JSON, filled up with spaces to 8 bytes), then the tensors. The file equals that
of ``safetensors.torch.save``, except that metadata are sorted by key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import IO

from ..dcformat import TensorEntry
from ..dcformat.tensors import DTYPES, Array

ORDER = ("U64", "I64", "F64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16", "I8", "U8", "BOOL")
"""Order of the library: by element type, so that each tensor is aligned to its element size, then by name."""


def write_safetensors(
    file: IO[bytes],
    entries: Mapping[str, TensorEntry],
    pieces: Callable[[str], Iterable[Array]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a ``.safetensors`` file.

    Parameters
    ----------
    file : binary file
    entries : mapping of str to TensorEntry
    pieces : callable
        A function from a name to the elements of the tensor, in contiguous arrays.
    metadata : mapping of str to str, optional

    Raises
    ------
    OSError
    """
    names = sorted(entries, key=lambda name: (ORDER.index(entries[name].dtype), name.encode()))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name in names:
        entry = entries[name]
        start, end = end, end + prod(entry.shape) * DTYPES[entry.dtype].itemsize
        header[name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        for piece in pieces(name):
            file.write(piece.data)
