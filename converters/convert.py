"""Convert: a model in, a container out, and a report of what became of each tensor."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ..dcformat import (
    ConversionError,
    DczError,
    Encoded,
    FormatError,
    Graph,
    Preprocess,
    Shape,
    encode,
    infer_shapes,
    open,
    write,
)
from ..dcformat.output import check_output, files_among, replacing, with_ending
from . import course, presets
from .compression.clustering import Clustering
from .compression.pruning import PruneRule, parse_prune
from .compression.sharing import BitsRule, parse_bits
from .encode import Compression, TensorError, negative_zeros
from .han import from_han
from .progress import progress_bar
from .source import Source
from .state_dict import from_state_dict
from .torch_export import from_module, from_pt2

log = logging.getLogger("dcz.convert")

STATE_DICTS = (".pt", ".pth", ".th", ".bin", ".tar", ".ckpt", ".safetensors")


@dataclass(frozen=True)
class Report:
    """What a conversion did.

    Attributes
    ----------
    path : str
        The container.
    info : dict
        What ``Container.info`` says of it.
    lossless : bool
        Whether every tensor is the checkpoint's bit for bit.
    errors : dict of str to TensorError
        For each tensor that is not.
    seconds : dict of str to float
        Time spent by stage: load, capture, compress, encode.
    messages : list of str
        What was recognised, and what was left out.
    """

    path: str
    info: dict[str, Any]
    lossless: bool
    errors: dict[str, TensorError]
    seconds: dict[str, float]
    messages: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As ``dcz convert --json`` prints it."""
        tensors = []
        for tensor in self.info["tensors"]:
            error = self.errors.get(tensor["name"], TensorError())
            tensors.append({**tensor, "max_error": error.max_error, "rms_error": error.rms_error})
        return {
            **self.info,
            "tensors": tensors,
            "lossless": self.lossless,
            "seconds": self.seconds,
            "messages": self.messages,
        }


def convert(
    model: nn.Module | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    arch: str | None = None,
    input_shape: Sequence[int] | None = None,
    prune: PruneRule | str | None = None,
    bits: BitsRule | str | int | None = None,
    init: str = "linear",
    method: str = "kmeans",
    seed: int = 0,
    positive_zeros: bool = False,
    preprocess: Preprocess | str | os.PathLike[str] | None = None,
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
) -> Report:
    """Convert a model to a container: lossless unless `prune` or `bits` is given.

    Parameters
    ----------
    model : torch.nn.Module or path
        A state dict (``.pt``, ``.pth``, ``.th``, ``.safetensors``), ``torch.export`` program (``.pt2``), ``.onnx``
        file, Song Han's ``.net`` file, a folder of course artefacts (`course.from_artefacts`), or a module.
    out : path, optional
        The container, overwritten when the new one is whole; by default `model` with the ending ``.dcz``.
    arch : str, optional
        For state dicts: a known architecture, or ``pkg.module:factory``. By default recognised by keys and shapes.
    input_shape : sequence of int, optional
        Shape of one sample. A module and ``pkg.module:factory`` need it.
    prune : PruneRule or str, optional
        ``std:S`` or ``percent:Q``: which weights of convolutions and linear layers become zero.
    bits : BitsRule, str or int, optional
        Share the weights of convolutions and linear layers: ``4``, or ``conv=8,fc=5``.
    init : {"linear", "density", "random", "kmeans++"}
        Where the k-means of `bits` starts.
    method : {"kmeans", "exact"}
        How `bits` finds the shared values: k-means, or the global optimum by dynamic programming, slower by far.
    seed : int
        For the two random starts.
    positive_zeros : bool
        Make negative zeros positive ones. Multiplying with a mask leaves negative ones behind, and a container has to
        store them, since they are not the same bits.
    preprocess : Preprocess, str or path, optional
        ``imagenet``, ``cifar10``, ``mnist`` or a JSON file. By default the architecture's, if it has one.
    labels : sequence of str, str or path, optional
        The class names, a file of them, a data set's name as above, or ``none``. By default the architecture's.

    Returns
    -------
    Report

    Raises
    ------
    ConversionError
        The model cannot become a container; an option doesn't fit it.
    UnsupportedOpError
        It uses an operator that dcz does not have.
    InputError
        `out` is the model itself, or the file of an option.
    OSError
        A file cannot be read or written.
    """
    if out is None:
        if isinstance(model, nn.Module):
            raise ConversionError("a module has no file name", hint="say where to write: dcz.convert(model, 'm.dcz')")
        out = with_ending(model, ".dcz")
        if out == Path(model) and out.is_file():
            raise _unknown_kind(out).at(out)
    # Paths and options first: a mistake in them should not cost the time of a conversion.
    check_output(out, *_reads(model), *files_among(preprocess, labels))
    prune = parse_prune(prune) if isinstance(prune, str) else prune
    bits = parse_bits(str(bits)) if isinstance(bits, (str, int)) else bits
    clustering = Clustering(init, method, seed)
    given_preprocess = presets.resolve_preprocess(preprocess) if preprocess is not None else None
    given_labels = presets.resolve_labels(labels) if labels is not None else None

    source = load_source(model, arch=arch, input_shape=input_shape)
    _describe(source, given_preprocess, given_labels)
    compression = Compression(source, prune, bits, clustering, positive_zeros=positive_zeros)
    left_behind = negative_zeros(source)
    tensors, errors = _encode(source, compression)
    if not errors and left_behind:
        source.messages.append(
            f"{left_behind:,} weights are negative zeros, as a mask leaves them, and stored as such;"
            " --positive-zeros makes them plain zeros and the file smaller"
        )
    with replacing(out) as file:
        with source.timed("encode"):
            write(file, source.graph, tensors, preprocess=source.preprocess, labels=source.labels or None)
        del tensors  # the container's description reads those of the file
        with open(file) as container:
            info = container.info()
    for message in source.messages:
        log.info(message)
    return Report(os.fspath(out), info, not errors, errors, source.seconds, source.messages)


def _encode(source: Source, compression: Compression) -> tuple[dict[str, Encoded], dict[str, TensorError]]:
    """Compress and encode a source's tensors, and take each out of it, so that a large network is not there twice.

    The largest one, which takes its own size again while it is worked on, comes last, when the others are gone.
    """
    source.reference = None  # it would hold all of them
    names, errors, encoded = list(source.tensors), dict[str, TensorError](), dict[str, Encoded]()
    order = sorted(names, key=lambda name: source.tensors[name].array.nbytes)
    for name in progress_bar(order, desc="encode", unit="tensor", leave=False):
        with source.timed("compress"):
            tensor, error = compression(name, source.tensors.pop(name))
        if error is not None:
            errors[name] = error
        with source.timed("encode"):
            encoded[name] = encode(name, tensor)
        del tensor  # before the next one is made
    return {name: encoded[name] for name in names}, {name: errors[name] for name in names if name in errors}


def load_source(
    model: nn.Module | str | os.PathLike[str], *, arch: str | None = None, input_shape: Sequence[int] | None = None
) -> Source:
    """Read a model through the front end that its type or its file's ending asks for.

    Parameters
    ----------
    model, arch, input_shape
        As for `convert`.

    Raises
    ------
    ConversionError, UnsupportedOpError
        As for `convert`; errors name the file.
    """
    shape = _checked_shape(input_shape) if input_shape is not None else None
    if isinstance(model, nn.Module):
        if shape is None:
            raise ConversionError("a module needs the input shape", hint="give input_shape=(3, 224, 224), say")
        return from_module(model, shape)
    path = Path(model)
    try:
        return _load_file(path, arch, shape)
    except DczError as error:
        raise error.at(path) from error.__cause__


def _reads(model: nn.Module | str | os.PathLike[str]) -> list[Path]:
    """The files that a model is read from."""
    if isinstance(model, nn.Module):
        return []
    return course.parts(Path(model)) if os.path.isdir(model) else [Path(model)]


def _load_file(path: Path, arch: str | None, shape: Shape | None) -> Source:
    if path.is_dir():
        return course.from_artefacts(path, arch, shape)
    if not path.exists():
        raise ConversionError("no such file")
    if path.stat().st_size == 0:
        raise ConversionError("the file is empty")
    suffix = path.suffix.lower()
    if suffix in STATE_DICTS:
        return from_state_dict(path, arch, shape)
    if arch is not None:
        raise ConversionError("--arch is for state dicts", expected=", ".join(STATE_DICTS), found=suffix)
    if suffix == ".pt2":
        return from_pt2(path, shape)
    if suffix == ".net":
        return from_han(path)
    if suffix == ".onnx":
        from .onnx import from_onnx  # the only front end that needs the onnx package

        return from_onnx(path)
    raise _unknown_kind(path)


def _unknown_kind(path: Path) -> ConversionError:
    known, found = ", ".join((*STATE_DICTS, ".pt2", ".onnx", ".net")), path.suffix.lower() or "no ending"
    hint = "it is a container already; dcz export gives its weights back" if found == ".dcz" else None
    return ConversionError("unknown kind of model", expected=known, found=found, hint=hint)


def _checked_shape(shape: Sequence[int]) -> Shape:
    checked = tuple(int(n) for n in shape)
    if not checked or min(checked) < 1:
        raise ConversionError("the input shape must be sizes of 1 or more", found=list(shape))
    return checked


def _describe(source: Source, preprocess: Preprocess | None, labels: list[str] | None) -> None:
    """Settle preprocessing and labels: those given, else the front end's; check that they fit the graph."""
    if labels is not None:
        source.labels = labels
    graph = source.graph
    if preprocess is not None:
        source.preprocess = preprocess
    elif source.preprocess is not None and graph is not None:
        source.preprocess = presets.fit_preprocess(source.preprocess, graph.input_shape)
    if graph is None:
        return
    if source.preprocess is not None:
        presets.check_preprocess(source.preprocess, graph.input_shape)
    if source.labels:
        presets.check_labels(source.labels, _output_shape(graph, source))


def _output_shape(graph: Graph, source: Source) -> Shape:
    try:
        return infer_shapes(graph, {name: tensor.array.shape for name, tensor in source.tensors.items()})[graph.output]
    except FormatError as error:
        raise ConversionError(str(error)) from error
