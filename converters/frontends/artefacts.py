"""Folders of the artefacts that course works on Deep Compression hand in: a network, its codebooks, its Huffman codes.

`compression.artefacts` writes them. The network alone would do for a container; the rest must agree with it, since a
folder whose parts are of different runs is a mistake that nobody would see afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...dcformat import ConversionError, Shape
from ...dcformat.tensors import Array
from .source import Source
from .state_dicts.state_dict import from_state_dict

NETWORK = "net_after_quantization.pt"
CODEBOOK = "codebook_*.npy"
HUFFMAN = ("huffman_encoding.npy", "huffman_freq.npy")
COLUMNS = ("layer", "value", "count")
"""Of the tables, which hold a record a centroid; only that of the frequencies has counts."""

Row: TypeAlias = tuple[Any, ...]


def parts(folder: Path) -> list[Path]:
    """The files of a folder of artefacts that are read: the network, its codebook, and the Huffman tables if there.

    Raises
    ------
    ConversionError
        There is no network, or not exactly one codebook.
    """
    network, codebooks = folder / NETWORK, sorted(folder.glob(CODEBOOK))
    if not network.exists():
        what, hint = "is a directory without course artefacts", "name a model's file"
        raise ConversionError(what, path=folder, expected=NETWORK, hint=hint)
    if len(codebooks) != 1:
        found = ", ".join(path.name for path in codebooks) or "none"
        raise ConversionError("the network's codebook must lie beside it", path=folder, expected=CODEBOOK, found=found)
    return [network, *codebooks, *(folder / name for name in HUFFMAN if (folder / name).exists())]


def from_artefacts(folder: Path, arch: str | None = None, input_shape: Shape | None = None) -> Source:
    """Read a folder of artefacts.

    Parameters
    ----------
    folder : Path
    arch, input_shape
        As for `from_state_dict`.

    Raises
    ------
    ConversionError
        A part is missing or can't be read, or the parts disagree; names the file and the layer.
    UnsupportedOpError
        The architecture uses an operator that dcz does not have.
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
    """Layer, value and number of uses of each value but zero that the weights of some layers have."""
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
