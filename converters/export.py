"""``dcz.export``: the dense weights of a container, under their original names and element types; or the whole network.

A tensor with several names (tied weights) is stored once. A ``.pt`` file has it under all its names. A safetensors file
cannot do that: it has the tensor under its first name, and its metadata map the other names to it, as
``safetensors.torch.save_model`` writes them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import torch

from ..core.errors import quoted
from ..core.output import check_output, replacing
from ..dcformat import Container, ConversionError, Dense, Graph, open
from .safetensors_file import write_safetensors
from .torch_file import write_torch

log = logging.getLogger("dcz.export")


def export(container: str | os.PathLike[str], out: str | os.PathLike[str], *, sparse: bool = False) -> None:
    """Write a container's tensors as a state dict, or its graph and tensors as a network.

    Parameters
    ----------
    container : path
        The container.
    out : path
        A state dict: ``.safetensors``, or ``.pt`` / ``.pth`` for ``torch.load(..., weights_only=True)``. It is written
        tensor by tensor, large ones in pieces, never whole in memory. A network: ``.onnx``, or ``.pt2`` for
        ``torch.export.load``; these hold the tensors that the graph uses. Overwritten when the new file is whole.
        Metadata of the container go into ``.safetensors`` and ``.onnx``.
    sparse : bool
        In ``.onnx``, store tensors as sparse initializers where that is smaller.

    Raises
    ------
    ConversionError
        `out` has another ending, or a network is asked for and the container has no graph.
    UnsupportedOpError
        The graph has an operator that ONNX does not have.
    InputError
        `out` is the container itself.
    FormatError
        The container is damaged.
    OSError
        A file cannot be read or written.
    """
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        expected = ", ".join(WRITERS)
        raise ConversionError("unknown kind of file to export to", path=path, expected=expected, found=suffix)
    if sparse and suffix != ".onnx":
        raise ConversionError("only .onnx has sparse initializers", path=path, found=suffix)
    check_output(path, container)
    with open(container) as opened, replacing(path) as file:
        WRITERS[suffix](file, opened, sparse)


def _safetensors(file: IO[bytes], container: Container, sparse: bool) -> None:
    tied = container.tied
    write_safetensors(file, container.entries, container.pieces, {**tied, "format": "pt", **container.metadata})
    if tied:
        log.info(f"stored under their first names alone, as safetensors' load_model expects: {quoted(tied)}")


def _state_dict(file: IO[bytes], container: Container, sparse: bool) -> None:
    write_torch(file, container.entries, container.pieces, container.tied)


def _onnx(file: IO[bytes], container: Container, sparse: bool) -> None:
    from .onnx_writing.model import to_onnx  # nothing else needs the onnx package

    file.write(to_onnx(container, _graph_of(container), sparse=sparse).SerializeToString())
    _tell_left_out(container)


def _program(file: IO[bytes], container: Container, sparse: bool) -> None:
    from .torch.program import to_program

    graph = _graph_of(container)
    tensors = {name: Dense(container.tensor(name), container.entries[name].dtype) for name in graph.tensor_names()}
    torch.export.save(to_program(graph, tensors), file)
    _tell_left_out(container)


def _graph_of(container: Container) -> Graph:
    """The graph of a container, which must have one."""
    if container.graph is None:
        raise ConversionError("the container holds weights only, and no graph", hint="export .safetensors or .pt")
    return container.graph


def _tell_left_out(container: Container) -> None:
    """Log the tensors that are no part of the network."""
    unused = container.entries.keys() - set(_graph_of(container).tensor_names())
    if unused:
        log.info(f"left out, since the graph does not use them: {quoted(sorted(unused))}")


WRITERS: dict[str, Callable[[IO[bytes], Container, bool], None]] = {
    ".safetensors": _safetensors,
    ".pt": _state_dict,
    ".pth": _state_dict,
    ".onnx": _onnx,
    ".pt2": _program,
}
"""By the ending of the file."""
