"""Facts about a container: every number of the page is computed here, before the layout."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from ..core.progress import progress
from ..dcformat import Container, Dense, FormatError, Graph, Preprocess, Shape, infer_shapes, open
from ..dcformat.container.info import is_counter
from ..dcformat.container.reader import payload_of
from ..dcformat.encoding.base import Description
from ..dcformat.tensors import FLOATS
from .histograms import CodeLengths, Spread, code_lengths, spread
from .timing import LayerTimes

PARTS = ("symbols", "gaps", "values", "codebook", "tables")
"""Parts of a tensor's bytes, in the order in which they are drawn."""


@dataclass(frozen=True)
class SizeStep:
    """A step from dense to coded, and the bytes after it.

    Attributes
    ----------
    name : str
    nbytes : int
    counted : str
        Meaning of `nbytes` at this step.
    """

    name: str
    nbytes: int
    counted: str


@dataclass(frozen=True)
class Layer:
    """A weight tensor: one of floats with two axes or more.

    Attributes
    ----------
    row : mapping
        Its entry in what `Container.info` gives.
    spread : Spread or None
    symbols, gaps : CodeLengths or None
        Code lengths of its streams, if it has them.
    errors : (float, float) or None
        Largest and root mean square difference from the checkpoint, where one was given that has the tensor.
    """

    row: Mapping[str, Any]
    spread: Spread | None
    symbols: CodeLengths | None
    gaps: CodeLengths | None
    errors: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """The tensor's name."""
        name: str = self.row["name"]
        return name


@dataclass(frozen=True)
class Facts:
    """Everything that the page shows.

    Attributes
    ----------
    file : str
        Name of the container's file.
    sha256 : str
    crc32 : int
        Checksums of the whole file.
    info : mapping
        What `Container.info` gives.
    stages : list of SizeStep
    layers : list of Layer
    others : list of mapping
        Entries of the other tensors: vectors, scalars, integers.
    graph : Graph or None
    shapes : list of tuple of int
        Shapes of the graph's values.
    preprocess : Preprocess or None
    labels : list of str or None
    against : str or None
        Name of the checkpoint it was compared with.
    times : LayerTimes or None
    """

    file: str
    sha256: str
    crc32: int
    info: Mapping[str, Any]
    stages: list[SizeStep]
    layers: list[Layer]
    others: list[Mapping[str, Any]]
    graph: Graph | None
    shapes: list[Shape]
    preprocess: Preprocess | None
    labels: list[str] | None
    against: str | None = None
    times: LayerTimes | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A model before it became a container.

    Attributes
    ----------
    name : str
        Of its file.
    tensors : mapping of str to Dense
    errors : callable
        ``errors(before, after)``: largest and root mean square difference.
    """

    name: str
    tensors: Mapping[str, Dense]
    errors: Callable[[Dense, Dense], tuple[float, float]]


def collect(
    path: str | os.PathLike[str],
    checkpoint: Checkpoint | None = None,
    times: LayerTimes | None = None,
) -> Facts:
    """Read a container from end to end.

    Parameters
    ----------
    path : str or os.PathLike
    checkpoint : Checkpoint, optional
        To compare the tensors with.
    times : LayerTimes, optional
        Measured before.

    Raises
    ------
    FormatError
        The container is damaged, anywhere.
    OSError
        It cannot be read.
    """
    with open(path) as container:
        info = container.info()
        rows = {row["name"]: row for row in info["tensors"]}
        gap_symbols, layers = {}, []
        for name in progress(rows, "tensor", len(rows)):
            described = payload_of(container, name).describe()
            gap_symbols[name] = described.streams["gaps"].size if "gaps" in described.streams else 0
            layer = _layer(container, rows[name], described, checkpoint)
            if layer is not None:
                layers.append(layer)
        graph = container.graph
        shapes = infer_shapes(graph, {n: container.entries[n].shape for n in graph.tensor_names()}) if graph else []
        content = Path(path).read_bytes()
        drawn = {layer.name for layer in layers}
        return Facts(
            file=Path(path).name,
            sha256=hashlib.sha256(content).hexdigest(),
            crc32=zlib.crc32(content),
            info=info,
            stages=stages(info, graph, gap_symbols),
            layers=layers,
            others=[row for row in info["tensors"] if row["name"] not in drawn],
            graph=graph,
            shapes=shapes,
            preprocess=container.preprocess,
            labels=container.labels,
            against=checkpoint.name if checkpoint else None,
            times=times,
            metadata=container.metadata,
        )


def _layer(
    container: Container, row: Mapping[str, Any], described: Description, checkpoint: Checkpoint | None
) -> Layer | None:
    tensor = container.decode(row["name"])
    if row["dtype"] not in FLOATS or len(row["shape"]) < 2:
        return None
    before = errors = None
    if checkpoint and (found := checkpoint.tensors.get(row["name"])) and found.shape == tuple(row["shape"]):
        before = found if found.dtype in FLOATS else None
        errors = checkpoint.errors(found, Dense(tensor.dense(), row["dtype"]))
    widths = {"symbols": fixed_width(row["codebook_size"]), "gaps": described.gap_bits or 0}
    streams = described.streams.items()
    codes = {part: code_lengths(coded.code.lengths, coded.decode(), widths[part]) for part, coded in streams}
    return Layer(row, spread(tensor, before), codes.get("symbols"), codes.get("gaps"), errors)


def fixed_width(codebook_size: int | None) -> int:
    """Bits of a symbol without Huffman coding."""
    return ((codebook_size or 1) - 1).bit_length()


def stages(info: Mapping[str, Any], graph: Graph | None, gap_symbols: Mapping[str, int]) -> list[SizeStep]:
    """Bytes after each step of Deep Compression (Han, Mao, Dally 2015, figure 1), for the tensors of the file.

    A step changes the bytes of a tensor only if it was applied: a tensor stored without gaps counts as dense in
    "pruned", one stored without a codebook keeps its fp32 values in "shared".

    Parameters
    ----------
    info : mapping
        What `Container.info` gives.
    graph : Graph or None
        Only its tensors count; without a graph all but counters do, as in ``dense_bytes``.
    gap_symbols : mapping of str to int
        Length of each tensor's stream of gaps, escapes included.
    """
    needed = {row["name"] for row in info["tensors"] if not is_counter(row["shape"], row["dtype"])}
    used = set(graph.tensor_names()) if graph else needed
    pruned = shared = 0
    for row in info["tensors"]:
        if row["name"] not in used:
            continue
        gaps = -(-gap_symbols[row["name"]] * row["gap_bits"] // 8) if row["gap_bits"] else 0
        stored = row["nnz"] if row["gap_bits"] else prod(row["shape"])
        pruned += 4 * stored + gaps
        codebook = row["codebook_size"]
        shared += gaps + (-(-stored * fixed_width(codebook) // 8) + 4 * codebook if codebook else 4 * stored)
    return [
        SizeStep("fp32", info["dense_bytes"], "4 bytes for each weight"),
        SizeStep("pruned", pruned, "4 bytes for each stored weight, and its gap at the layer's fixed gap width"),
        SizeStep("shared", shared, "symbols and gaps at fixed width, and the codebooks in fp32"),
        SizeStep("coded", info["file_bytes"], "the whole file: Huffman-coded streams, tables, manifest, labels"),
    ]


def load_checkpoint(path: str | os.PathLike[str], arch: str | None, container: str | os.PathLike[str]) -> Checkpoint:
    """Read the model that a container was made from; needs torch.

    Parameters
    ----------
    path : str or os.PathLike
        Anything that ``dcz convert`` reads.
    arch : str or None
        As for ``dcz convert``.
    container : str or os.PathLike

    Raises
    ------
    ConversionError
        It cannot be read.
    FormatError
        The container is damaged, or has no tensor of the model's names and shapes.
    """
    from ..converters.compression.apply import error_between
    from ..converters.convert import load_source
    from ..converters.frontends.inputs import as_asked

    def errors(before: Dense, after: Dense) -> tuple[float, float]:
        error = error_between(before, after)
        return error.max_error, error.rms_error

    with open(container) as opened:
        asked = as_asked(opened.graph) if opened.graph else None
        shapes = {name: entry.shape for name, entry in opened.entries.items()}
    tensors = load_source(path, arch=arch, input_shape=asked).tensors
    if not any(shapes.get(name) == tensor.shape for name, tensor in tensors.items()):
        hint = "is it the model that the container was made from?"
        raise FormatError(f"has no tensor of the names and shapes in {os.fspath(path)}", path=container, hint=hint)
    return Checkpoint(Path(path).name, tensors, errors)
