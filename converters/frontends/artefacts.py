"""Front end for artefact folders of course works on Deep Compression: a network, its codebooks, its Huffman codes.

`training.artefacts` writes such folders. A container needs the network only. The other parts must agree with it: a
folder with parts of different runs is a mistake that would show nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...dcformat import ConversionError
from ...dcformat.tensors import Array
from .inputs import InputShapes
from .source import Source
from .state_dicts.state_dict import from_state_dict

NETWORK = "net_after_quantization.pt"
CODEBOOK = "codebook_*.npy"
HUFFMAN = ("huffman_encoding.npy", "huffman_freq.npy")
COLUMNS = ("layer", "value", "count")
"""File names of the Huffman tables, which have a record for each centroid; only the frequency table has counts."""

Row: TypeAlias = tuple[Any, ...]


def parts(folder: Path) -> list[Path]:
    """The files to read in an artefact folder: the network, its codebook, and the Huffman tables if present.

    Raises
    ------
    ConversionError
        The folder has no network, or not exactly one codebook.
    """
    network, codebooks = folder / NETWORK, sorted(folder.glob(CODEBOOK))
    if not network.exists():
        what, hint = "is a directory without course artefacts", "name a model's file"
        raise ConversionError(what, path=folder, expected=NETWORK, hint=hint)
    if len(codebooks) != 1:
        found = ", ".join(path.name for path in codebooks) or "none"
        raise ConversionError("the network's codebook must lie beside it", path=folder, expected=CODEBOOK, found=found)
    return [network, *codebooks, *(folder / name for name in HUFFMAN if (folder / name).exists())]


def from_artefacts(folder: Path, arch: str | None = None, input_shape: InputShapes | None = None) -> Source:
    """Read a folder of artefacts.

    Parameters
    ----------
    folder : Path
    arch, input_shape
        As for `from_state_dict`.

    Raises
    ------
    ConversionError
        A part is missing or cannot be read, or the parts disagree; the error names the file and the layer.
    UnsupportedOpError
        The architecture uses an operator that dcz lacks.
    """
    network, codebook, *huffman = parts(folder)
    try:
        source = from_state_dict(network, arch, input_shape)
    except ConversionError as error:
        raise error.at(network) from error.__cause__
    with source.timed("load"):
        tables = {path: _read(path) for path in (codebook, *huffman)}
        expected = _centroids(source, tables[codebook]["layer"].tolist())
        for path, table in tables.items():
            columns = [name for name in COLUMNS if name in (table.dtype.names or ())]
            _compare(path, set(table[columns].tolist()), {row[: len(columns)] for row in expected})
    source.messages.append(f"{', '.join(path.name for path in tables)}: as in {network.name}")
    return source


def _read(path: Path) -> Array:
    try:
        table: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConversionError(f"not a .npy file of plain records: {error}", path=path) from None
    wanted = COLUMNS if path.name == "huffman_freq.npy" else COLUMNS[:2]
    if table.ndim != 1 or not set(wanted) <= set(table.dtype.names or ()):
        expected = f"records of {', '.join(wanted)}"
        raise ConversionError("not the table that its name promises", path=path, expected=expected, found=table.dtype)
    return table


def _centroids(source: Source, layers: Iterable[str]) -> set[Row]:
    """Layer, value and count of every distinct non-zero value among the weights of some layers."""
    rows: set[Row] = set()
    for layer in dict.fromkeys(layers):
        if layer in source.tensors:
            weights = source.tensors[layer].numbers()
            values, counts = np.unique(weights[weights != 0], return_counts=True)
            rows |= set(zip(repeat(layer), values.tolist(), counts.tolist(), strict=False))
    return rows


def _compare(path: Path, found: set[Row], expected: set[Row]) -> None:
    if found == expected:
        return
    row = min(found ^ expected, key=repr)
    where = ", ".join(f"{name} {value!r}" for name, value in zip(COLUMNS, row, strict=False))
    what = f"holds a centroid that {NETWORK} does not" if row in found else f"lacks a centroid of {NETWORK}"
    raise ConversionError(what, path=path, where=where, hint="are the files of one run?")
