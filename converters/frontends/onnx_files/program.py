"""From an ONNX model to a program of torch's, and by that to a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from onnx import GraphProto, ModelProto, inliner
from torch.export import ExportedProgram

from ....dcformat import ConversionError, DczError, Dense, UnsupportedOpError
from ..arrays import to_torch
from ..exported.capture import lower_program
from ..exported.refusals import as_one
from ..exported.tracing import BATCH, first_line, quiet
from ..inputs import Asked
from ..source import Source
from .arrays import STORABLE, element_type, read
from .branches import lifted
from .inputs import Given, given_inputs
from .named_tensors import named_tensors
from .network import Network
from .session import Session

OLDEST = 7
"""First version of the operator set with today's rules of broadcasting."""
OPTIMISED = "what begins with com.microsoft is ONNX Runtime's own: save the model with ORT_ENABLE_BASIC at most"
WAY_OUT = "keep the weights without the graph with --partial (partial=True)"


def capture_model(source: Source, model: ModelProto, path: Path, asked: Sequence[Asked] | None) -> None:
    """Give a source the graph of a model and the tensors that it names.

    Parameters
    ----------
    source : Source
    model : ModelProto
    path : Path
        The file: its folder has the external data, and ONNX Runtime reads it for reference answers.
    asked : sequence of Asked, optional
        Shapes of one sample of the inputs.

    Raises
    ------
    ConversionError, UnsupportedOpError
        As for `from_onnx`.
    """
    network, tensors = build(model, path.parent)
    inputs = given_inputs(model.graph, tensors, asked)
    batch = next((each.batch for each in inputs if each.batch), None)
    program = _trace(network, inputs, batch)
    called, answers = [each.name for each in inputs], [output.name for output in model.graph.output]
    try:
        captured = lower_program(program, network.names, network.explain, _of_several(called), _of_several(answers))
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
    model = lifted(inliner.inline_local_functions(model) if model.functions else model)
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


def _trace(network: Network, inputs: Sequence[Given], batch: int | None) -> ExportedProgram:
    """Trace on the file's own batch; where that is open, on two samples, or else on one."""
    error: Exception | None = None
    for size in [batch] if batch else [BATCH, 1]:
        try:
            with torch.no_grad(), quiet():
                return torch.export.export(network, tuple(each.example(size) for each in inputs), strict=False)
        except Exception as problem:  # whatever torch raises where sizes do not fit
            error = error or problem
            if network.refused:
                raise _with_way_out(as_one(list(network.refused.values()))) from None
    assert error is not None
    if isinstance(error, DczError):
        raise error
    shapes = " and ".join(str([batch or BATCH, *each.shape]) for each in inputs)
    what = f"the graph cannot be run on an input of shape {shapes}: {first_line(error)}"
    raise ConversionError(what, hint="check the input shape (--input-shape)") from error


def _of_several(names: list[str]) -> list[str] | None:
    """Names, where there are several; one alone has the default name."""
    return names if len(names) > 1 else None


def _with_way_out(error: UnsupportedOpError) -> UnsupportedOpError:
    optimised = f"{OPTIMISED}; " if "com.microsoft" in str(error) else ""
    error.hint = f"{error.hint}; {optimised}{WAY_OUT}"
    return error
