"""``dcz.convert``: from a model to a container, with a report about each tensor."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ..core.errors import quoted
from ..core.garbage import uncollected
from ..core.host import cores
from ..core.memory import give_back
from ..core.output import check_output, files_among, replacing, scratch_beside, with_ending
from ..core.progress import progress, status
from ..dcformat import (
    ConversionError,
    DczError,
    Encoded,
    FormatError,
    Graph,
    Preprocess,
    Shape,
    UnsupportedOpError,
    encode,
    infer_shapes,
    open,
    write,
)
from ..dcformat.container.spool import Spool
from ..dcformat.encoding.table import CODECS, Encoding
from .compression.apply import Compression, TensorError, left_as_they_are, negative_zeros
from .compression.clustering import Clustering
from .compression.pruning import PruneRule, parse_prune
from .compression.sharing import BitsRule, parse_bits
from .frontends import artefacts as course
from .frontends import presets
from .frontends.caffe_squeezenet import from_han
from .frontends.container import from_container
from .frontends.exported.torch_export import from_module, from_pt2
from .frontends.inputs import Asked, InputShapes, asked_inputs
from .frontends.source import Source
from .frontends.state_dicts.file_kind import Kind, kind_of
from .frontends.state_dicts.state_dict import from_state_dict
from .side_by_side import AT_A_TIME, groups, mapping

log = logging.getLogger("dcz.convert")

STAGES = {
    "load": "reading",
    "capture": "tracing",
    "compress": "pruning and sharing",
    "encode": "encoding",
    "write": "writing",
}
"""Stages of a conversion, as `Report.seconds` and as messages name them."""
STATE_DICTS = (".pt", ".pth", ".th", ".bin", ".tar", ".ckpt", ".safetensors")


@dataclass(frozen=True)
class Report:
    """Report of a conversion.

    Attributes
    ----------
    path : str
        The container.
    info : dict
        Result of ``Container.info``.
    lossless : bool
        Whether the container holds every tensor of the model, bit for bit.
    errors : dict of str to TensorError
        Errors of the tensors that differ from the model's.
    seconds : dict of str to float
        Time spent by stage, a key of `STAGES` each.
    messages : list of str
        Notes on what was recognised and what was left out.
    lost : dict of str to int
        Numbers of the model that the container does not hold, by name: empty unless `partial` was given.
    """

    path: str
    info: dict[str, Any]
    lossless: bool
    errors: dict[str, TensorError]
    seconds: dict[str, float]
    messages: list[str] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        tensors, size, ratio = len(self.info["tensors"]), self.info["file_bytes"], self.info["ratio"]
        kind = "lossless" if self.lossless else "lossy"
        return f"<Report {self.path!r}: {kind}, {tensors:,} tensors, {size:,} bytes, ratio {ratio:.2f}>"

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
            "lost": self.lost,
            "seconds": self.seconds,
            "messages": self.messages,
        }


def convert(
    model: nn.Module | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    arch: str | None = None,
    input_shape: InputShapes | None = None,
    key: str | None = None,
    prune: PruneRule | str | None = None,
    bits: BitsRule | str | int | None = None,
    init: str = "linear",
    method: str = "kmeans",
    seed: int = 0,
    positive_zeros: bool = False,
    partial: bool = False,
    preprocess: Preprocess | str | os.PathLike[str] | None = None,
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
    codec: str = "default",
) -> Report:
    """Convert a model to a container: lossless unless `prune` or `bits` is given.

    Parameters
    ----------
    model : torch.nn.Module or path
        A state dict (``.pt``, ``.pth``, ``.th``, ``.safetensors``), ``torch.export`` program (``.pt2``), ``.onnx``
        file, Song Han's ``.net`` file, a folder of course artefacts, another container (``.dcz``), or a module.
    out : path, optional
        The container, overwritten when the new one is whole; by default `model` with the ending ``.dcz``.
    arch : str, optional
        For state dicts: a known architecture, or ``pkg.module:factory``. By default recognised by keys and shapes.
    input_shape : sequence of int, sequence or mapping of such, optional
        Shape of one sample. A module and ``pkg.module:factory`` need it. Several inputs have one each: a list in the
        order of forward's arguments, or a dict by their names. Integers (row numbers of an embedding) are said behind
        the sizes: ``(32, "int64")``; without it they are found by trying.
    key : str, optional
        Which dictionary of a checkpoint is the state dict, if there are several: its keys, joined by dots, or the
        common prefix of its tensors' names.
    prune : PruneRule or str, optional
        Rule for the weights of convolutions and linear layers that become zero: ``std:S`` or ``percent:Q``.
    bits : BitsRule, str or int, optional
        Share the weights of convolutions and linear layers: ``4``, or ``conv=8,fc=5``.
    init : {"linear", "density", "random", "kmeans++"}
        Initial centroids of k-means, for `bits`.
    method : {"kmeans", "sklearn", "exact", "grid"}
        Method of `bits` to find the shared values: k-means, ours or scikit-learn's; the global optimum by dynamic
        programming, which is much slower; or a uniform grid of at most the error of k-means, where that takes fewer
        bytes: it has more than ``2**bits`` values, up to 256.
    seed : int
        Seed of the two random initialisations.
    positive_zeros : bool
        Make negative zeros positive. Products with a mask may be negative zeros, which a lossless container has to
        store.
    partial : bool
        Convert even if a container cannot hold some numbers of the model (`Report.lost`), or the graph of an ``.onnx``
        file: then weights only. By default that is an error.
    preprocess : Preprocess, str or path, optional
        ``imagenet``, ``cifar10``, ``mnist`` or a JSON file. By default the architecture's, if it has one.
    labels : sequence of str, str or path, optional
        The class names, a file of them, a data set's name as above, or ``none``. By default the architecture's.
    codec : {"default", "smallest", "huffman"}
        Which encodings to choose from: those that decode fast, all, or those that dcz 0.2 reads and writes.

    Returns
    -------
    Report

    Raises
    ------
    ConversionError
        The model cannot become a container, or only in part; or an option does not fit it.
    UnsupportedOpError
        The model uses an operator that dcz lacks.
    InputError
        `out` is the file of the model or of an option.
    OSError
        A file cannot be read or written.
    """
    if out is None:
        if isinstance(model, nn.Module):
            raise ConversionError("a module has no file name", hint="say where to write: dcz.convert(model, 'm.dcz')")
        out = with_ending(model, ".dcz")
        if out == Path(model) and out.is_file():
            raise ConversionError(
                "a container is not written over", path=out, hint="name another with -o OUT.dcz (out=)"
            )
    # Paths and options come first, so that a mistake in them shows before the long work.
    check_output(out, *_reads(model), *files_among(preprocess, labels))
    prune = parse_prune(prune) if isinstance(prune, str) else prune
    bits = parse_bits(str(bits)) if isinstance(bits, (str, int)) else bits
    if codec not in CODECS:
        raise ConversionError("unknown codec", expected=" or ".join(CODECS), found=codec)
    clustering = Clustering(init, method, seed)
    given_preprocess = presets.resolve_preprocess(preprocess) if preprocess is not None else None
    given_labels = presets.resolve_labels(labels) if labels is not None else None

    with status("reading and tracing the model"), uncollected():
        source = _load(model, arch, input_shape, key, partial)
    tied = source.untie()
    source.check_whole(partial, None if isinstance(model, nn.Module) else model)
    _describe(source, given_preprocess, given_labels)
    if (prune is not None or bits is not None) and (integers := left_as_they_are(source)):
        source.messages.append(f"neither pruned nor shared, since they are integers: {quoted(integers)}")
    compression = Compression(source, prune, bits, clustering, positive_zeros=positive_zeros)
    left_behind = negative_zeros(source)
    with scratch_beside(out) as scratch, replacing(out) as file:
        tensors, errors = _encode(source, compression, CODECS[codec], Spool(scratch))
        with status("writing the container"), source.timed("write"):
            write(
                file,
                source.graph,
                tensors,
                preprocess=source.preprocess,
                labels=source.labels or None,
                metadata=source.metadata,
                tied=tied,
            )
        del tensors  # `Container.info` reads the metadata from the file
        with open(file) as container:
            info = container.info()
    if not errors and left_behind:
        source.messages.append(
            f"{left_behind:,} weights are negative zeros, as a mask leaves them, and stored as such;"
            " --positive-zeros makes them plain zeros and the file smaller"
        )
    for message in source.messages:
        log.info(message)
    for stage, seconds in source.seconds.items():
        log.debug("%s: %.2f s", STAGES[stage], seconds)
    lossless = not errors and not source.lost
    return Report(os.fspath(out), info, lossless, errors, source.seconds, source.messages, source.lost)


def _load(
    model: nn.Module | str | os.PathLike[str],
    arch: str | None,
    input_shape: InputShapes | None,
    key: str | None,
    partial: bool,
) -> Source:
    """Load a source; with `partial` an ONNX file whose graph is refused without that."""
    try:
        return load_source(model, arch=arch, input_shape=input_shape, key=key)
    except (UnsupportedOpError, ConversionError) as error:
        if not partial or isinstance(model, nn.Module) or Path(model).suffix.lower() != ".onnx":
            raise
        source = load_source(model, graph=False)
        source.messages.append(f"without its graph: {error.what}")
        return source


def _encode(
    source: Source, compression: Compression, among: Collection[Encoding], spool: Spool
) -> tuple[dict[str, Encoded], dict[str, TensorError]]:
    """Compress and encode a source's tensors into a file, and drop each one: memory never holds a network twice."""
    source.reference = None  # it would keep all tensors alive
    names, errors, encoded = list(source.tensors), dict[str, TensorError](), dict[str, Encoded]()
    found = _encoded(source, compression, among, spool)
    for name, tensor, error in progress(found, "tensor", len(names), "encode"):
        encoded[name] = tensor
        if error is not None:
            errors[name] = error
    return {name: encoded[name] for name in names}, {name: errors[name] for name in names if name in errors}


def _encoded(
    source: Source, compression: Compression, among: Collection[Encoding], spool: Spool
) -> Iterator[tuple[str, Encoded, TensorError | None]]:
    """Tensors by name, those of a group at a time, and their errors."""
    threads, sizes = cores(), {name: tensor.array.nbytes for name, tensor in source.tensors.items()}
    with mapping(threads) as together:
        for group in groups(sizes, threads):
            large = sum(map(sizes.__getitem__, group)) >= AT_A_TIME
            if large:
                give_back()
            with source.timed("compress"):
                made = together(lambda name: compression(name, source.tensors.pop(name)), group)
            errors = [error for _, error in made]
            tensors = dict(zip(group, (tensor for tensor, _ in made), strict=True))
            del made
            if large:
                give_back()
            with source.timed("encode"):
                done = together(lambda name: encode(name, tensors.pop(name), among).in_file(spool), group)  # noqa: B023
            yield from zip(group, done, errors, strict=True)


def load_source(
    model: nn.Module | str | os.PathLike[str],
    *,
    arch: str | None = None,
    input_shape: InputShapes | None = None,
    key: str | None = None,
    graph: bool = True,
) -> Source:
    """Read a model by the front end for its type, or for the kind of its file.

    Parameters
    ----------
    model, arch, input_shape, key
        As for `convert`.
    graph : bool
        Whether an ``.onnx`` file's graph is wanted; otherwise its weights alone are read. Other files have no graph, or
        cannot be read without.

    Raises
    ------
    ConversionError, UnsupportedOpError
        As for `convert`; errors name the file.
    """
    asked = asked_inputs(input_shape) if input_shape is not None else None
    if isinstance(model, nn.Module):
        if asked is None:
            raise ConversionError("a module needs the input shape", hint="give input_shape=(3, 224, 224), say")
        return from_module(model, asked)
    path = Path(model)
    try:
        return _load_file(path, arch, asked, key, graph)
    except DczError as error:
        raise error.at(path) from error.__cause__


def _reads(model: nn.Module | str | os.PathLike[str]) -> list[Path]:
    """The files of a model."""
    if isinstance(model, nn.Module):
        return []
    return course.parts(Path(model)) if os.path.isdir(model) else [Path(model)]


def _load_file(path: Path, arch: str | None, asked: Sequence[Asked] | None, key: str | None, graph: bool) -> Source:
    if path.is_dir():
        return course.from_artefacts(path, arch, asked)
    if not path.exists():
        raise ConversionError("no such file")
    if path.stat().st_size == 0:
        raise ConversionError("the file is empty")
    suffix = path.suffix.lower()
    kind = kind_of(path) if suffix != ".dcz" else None
    if kind in (Kind.TORCH, Kind.SAFETENSORS) or (kind is None and suffix in STATE_DICTS):
        return from_state_dict(path, arch, asked, key)
    for flag, value in (("--arch", arch), ("--key", key)):
        if value is not None:
            found = kind.value if kind else suffix
            raise ConversionError(f"{flag} is for state dicts", expected=", ".join(STATE_DICTS), found=found)
    if kind is Kind.PROGRAM or suffix == ".pt2":
        return from_pt2(path, asked)
    if suffix == ".dcz":
        return from_container(path)
    if suffix == ".net":
        return from_han(path)
    if suffix == ".onnx":
        from .frontends.onnx_files.onnx_file import from_onnx, weights_of  # nothing else needs the onnx package

        return from_onnx(path, asked) if graph else weights_of(path)
    raise _unknown_kind(path)


def _unknown_kind(path: Path) -> ConversionError:
    known, found = ", ".join((*STATE_DICTS, ".pt2", ".onnx", ".net", ".dcz")), path.suffix.lower() or "no ending"
    return ConversionError("unknown kind of model", expected=known, found=found)


def _describe(source: Source, preprocess: Preprocess | None, labels: list[str] | None) -> None:
    """Set preprocessing and labels: the given ones, else the front end's; check that they fit the graph."""
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
