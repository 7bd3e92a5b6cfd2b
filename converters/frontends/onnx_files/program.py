"""From an ONNX model to a program of torch's, and by that to a source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from onnx import GraphProto, ModelProto, ValueInfoProto, inliner
from torch.export import ExportedProgram

from ....dcformat import ConversionError, DczError, Dense, Shape, UnsupportedOpError
from ..arrays import to_torch
from ..exported.capture import lower_program
from ..exported.refusals import as_one
from ..exported.tracing import BATCH, first_line, quiet
from ..source import Source
from .arrays import STORABLE, element_type, read
from .named_tensors import named_tensors
from .network import Network
from .operators.arithmetic import TYPES
from .session import Session

OLDEST = 7
"""First version of the operator set with today's rules of broadcasting."""
WAY_OUT = "keep the weights without the graph with --partial (partial=True)"


def capture_model(source: Source, model: ModelProto, path: Path, input_shape: Shape | None) -> None:
    """Give a source the graph of a model and the tensors that it names.

    Parameters
    ----------
    source : Source
    model : ModelProto
    path : Path
        The file: its folder has the external data, and ONNX Runtime reads it for reference answers.
    input_shape : tuple of int, optional
        Shape of one sample.

    Raises
    ------
    ConversionError, UnsupportedOpError
        As for `from_onnx`.
    """
    network, tensors = build(model, path.parent)
    value = _input(model.graph, tensors)
    batch, shape = _sizes(value, input_shape)
    program = _trace(network, value, batch, shape)
    try:
        outputs = [output.name for output in model.graph.output]
        named = outputs if len(outputs) > 1 else None
        captured = lower_program(program, network.names, network.explain, outputs=named)
    except UnsupportedOpError as error:
        raise _with_way_out(error) from None
    source.tensors = dict(tensors)
    captured.give(source, {name: to_torch(tensor) for name, tensor in tensors.items()})
    assert source.graph is not None
    used = set(source.graph.tensor_names())
    source.tensors = {name: tensor for name, tensor in source.tensors.items() if name in used}
    source.batch = batch
    source.reference = lambda: Session(path)


def build(model: ModelProto, folder: Path) -> tuple[Network, dict[str, Dense]]:
    """The network of a model, and its constants by name; external data lie in `folder`."""
    opset = _opset(model)
    model = inliner.inline_local_functions(model) if model.functions else model
    tensors = _constants(model.graph, folder)
    return Network(model, tensors, opset), tensors


def _opset(model: ModelProto) -> int:
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    version = versions[0] if versions else 1
    if version < OLDEST:
        hint = "onnx.version_converter.convert_version(model, 13) raises it"
        raise ConversionError("the operator set is too old", expected=f"{OLDEST} or newer", found=version, hint=hint)
    return int(version)


def _constants(graph: GraphProto, folder: Path) -> dict[str, Dense]:
    """Initializers and Constant nodes of the main graph that torch can compute with, by name."""
    wanted = {output for node in graph.node if node.op_type == "Constant" for output in node.output}
    wanted |= {tensor.name for tensor in graph.initializer} | {item.values.name for item in graph.sparse_initializer}
    alone = ModelProto(graph=graph)
    return {
        name: read(name, tensor, folder)
        for name, tensor in named_tensors(alone)
        if name in wanted and element_type(tensor) in STORABLE
    }


def _input(graph: GraphProto, tensors: Mapping[str, Dense]) -> ValueInfoProto:
    inputs = [value for value in graph.input if value.name not in tensors]
    if len(inputs) != 1:
        found = f"{len(inputs)}: {', '.join(value.name for value in inputs)}"
        raise ConversionError("the network must have one input tensor", expected=1, found=found)
    return inputs[0]


def _sizes(value: ValueInfoProto, given: Shape | None) -> tuple[int | None, Shape]:
    """Batch size of an input, None if it is open, and the shape of one sample."""
    kind = value.type.tensor_type
    if kind.elem_type not in TYPES or not kind.HasField("shape"):
        raise ConversionError(f"input {value.name!r} is no tensor of numbers with a known rank")
    batch, *sizes = [dim.dim_value if dim.dim_value > 0 else None for dim in kind.shape.dim] or [None]
    names = [dim.dim_param or "?" for dim in kind.shape.dim][1:]
    stated = [str(size or name) for size, name in zip(sizes, names, strict=True)]
    if given is None:
        if None in sizes or not sizes:
            raise ConversionError(
                f"the file leaves sizes of the input {value.name!r} open",
                found=f"[{', '.join(stated)}]",
                hint="give the shape of one sample: --input-shape 3,224,224, say",
            )
        return batch, tuple(size for size in sizes if size is not None)
    if len(given) != len(sizes) or any(size not in (None, want) for size, want in zip(sizes, given, strict=True)):
        raise ConversionError(
            f"the input {value.name!r} has another shape", expected=f"[{', '.join(stated)}]", found=list(given)
        )
    return batch, given


def _trace(network: Network, value: ValueInfoProto, batch: int | None, shape: Shape) -> ExportedProgram:
    """Trace on the file's own batch; where that is open, on two samples, or else on one."""
    error: Exception | None = None
    for size in [batch] if batch else [BATCH, 1]:
        example = torch.zeros((size, *shape), dtype=TYPES[value.type.tensor_type.elem_type])
        try:
            with torch.no_grad(), quiet():
                return torch.export.export(network, (example,), strict=False)
        except Exception as problem:  # whatever torch raises where sizes do not fit
            error = error or problem
            if network.refused:
                raise _with_way_out(as_one(list(network.refused.values()))) from None
    assert error is not None
    if isinstance(error, DczError):
        raise error
    what = f"the graph cannot be run on an input of shape {[batch or BATCH, *shape]}: {first_line(error)}"
    raise ConversionError(what, hint="check the input shape (--input-shape)") from error


def _with_way_out(error: UnsupportedOpError) -> UnsupportedOpError:
    error.hint = f"{error.hint}; {WAY_OUT}"
    return error
