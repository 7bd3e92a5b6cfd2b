"""Graphs by ``torch.export``: of a module in Python, and of a ``.pt2`` file."""

from __future__ import annotations

import copy
import os
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from ..dcformat import ConversionError, DczError, Dense, Graph, Shape
from .arrays import from_torch
from .graph_builder import GraphBuilder, Param
from .lowering import lower
from .source import Source

BATCH = 2
"""Two samples: with one, an operator that mixes the batch would go unseen."""


def from_module(module: nn.Module, input_shape: Shape) -> Source:
    """Read a module: its graph, and the tensors of its state dict.

    Parameters
    ----------
    module : nn.Module
        Captured in eval mode; its mode is restored.
    input_shape : tuple of int
        Shape of one sample, without the batch axis.

    Raises
    ------
    ConversionError
        torch cannot trace it, or it does not map one tensor to one tensor.
    UnsupportedOpError
        It uses an operator that dcz does not have.
    """
    source = Source({}, reference=lambda: copy.deepcopy(module).eval())
    with source.timed("capture"):
        graph, program = capture(module, input_shape)
    with source.timed("load"):
        source.tensors = {name: from_torch(name, value) for name, value in module.state_dict().items()}
        source.tensors.update(_extra_tensors(graph, program, source.tensors))
    source.graph = graph
    return source


def from_pt2(path: Path, input_shape: Shape | None = None) -> Source:
    """Read a program that ``torch.export.save`` wrote; nothing in it is executed.

    Parameters
    ----------
    path : Path
    input_shape : tuple of int, optional
        Must agree with the program's, which is static.

    Raises
    ------
    ConversionError
        Not such a file, one that needs code to be unpickled, or one of another input shape.
    UnsupportedOpError
        It uses an operator that dcz does not have.
    """
    source = Source({})
    with source.timed("load"):
        program = _load_program(path)
        source.tensors = {name: from_torch(name, value) for name, value in program.state_dict.items()}
    with source.timed("capture"):
        graph = lower_program(program)
    if input_shape is not None and input_shape != graph.input_shape:
        raise ConversionError(
            "the exported program takes another input shape", expected=list(graph.input_shape), found=list(input_shape)
        )
    source.tensors.update(_extra_tensors(graph, program, source.tensors))
    source.graph = graph
    source.reference, source.batch = program.module, _batch_size(program)
    return source


def capture(module: nn.Module, input_shape: Shape) -> tuple[Graph, ExportedProgram]:
    """Trace a module in eval mode on a batch of two, and lower what it did. Modules on the ``meta`` device will do.

    Raises
    ------
    ConversionError, UnsupportedOpError
        As for `from_module`.
    """
    first = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    example = torch.zeros((BATCH, *input_shape), dtype=first.dtype, device=first.device)
    with _eval_mode(module), torch.no_grad(), _quiet():
        try:
            program = torch.export.export(module, (example,), strict=False)
        except Exception as error:  # whatever the module's own forward may raise
            raise ConversionError(
                f"the network cannot be traced on an input of shape {list(example.shape)}: {_first_line(error)}",
                hint="check the input shape (--input-shape)",
            ) from error
    return lower_program(program), program


def lower_program(program: ExportedProgram) -> Graph:
    """Lower an exported program, operator by operator.

    Raises
    ------
    ConversionError
        More than one input or output tensor, or sizes that are not static.
    UnsupportedOpError
        An operator that dcz does not have.
    """
    if any(_is_mutable(node.target) for node in program.graph.nodes):
        with _quiet():
            program = program.run_decompositions({})  # x.relu_() and its views, without side effects
    if program.graph_signature.buffers_to_mutate:
        raise ConversionError(
            "the network changes its buffers as it runs",
            found=next(iter(program.graph_signature.buffers_to_mutate.values())),
            hint="export it in eval mode: model.eval()",
        )
    names = {
        spec.arg.name: spec.target
        for spec in program.graph_signature.input_specs
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
    }
    inputs, outputs = _users(program)
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    batch, *sample = placeholders[inputs[0]].meta["val"].shape
    if not sample or not all(isinstance(n, int) for n in sample):
        raise ConversionError("the input's sizes must be fixed, but for the batch", found=[str(n) for n in sample])
    shapes = {
        target: tuple(placeholders[name].meta["val"].shape)
        for name, target in names.items()
        if target is not None and name in placeholders
    }
    builder = GraphBuilder(tuple(sample), batch, shapes)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            builder.values[node] = Param(str(names[node.name]))
        elif node.op == "placeholder":
            builder.values[node] = builder.input if node.name == inputs[0] else None
        elif node.op == "output":
            results = {result.name: result for result in node.args[0] if isinstance(result, torch.fx.Node)}
            return builder.finish(results[outputs[0]])
        else:
            lower(builder, node)
    raise AssertionError("a captured graph ends in its output")


def _batch_size(program: ExportedProgram) -> int | None:
    """The batch that a program was exported for, or the least that it takes; None if it takes any."""
    (name,) = program.graph_signature.user_inputs
    batch = next(node.meta["val"].shape[0] for node in program.graph.nodes if node.name == name)
    if isinstance(batch, int):
        return batch
    limits = program.range_constraints.get(batch.node.expr)
    return int(limits.lower) if limits is not None and limits.lower > 1 else None


def _users(program: ExportedProgram) -> tuple[list[str], list[str]]:
    """Names of the one input and the one output tensor."""
    signature = program.graph_signature
    inputs = [spec.arg.name for spec in signature.input_specs if spec.kind is InputKind.USER_INPUT]
    outputs = [getattr(s.arg, "name", "") for s in signature.output_specs if s.kind is OutputKind.USER_OUTPUT]
    for what, found in (("input", inputs), ("output", outputs)):
        if len(found) != 1:
            raise ConversionError(f"the network must have one {what} tensor", expected=1, found=len(found))
    return inputs, outputs


def _is_mutable(target: Any) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def _extra_tensors(graph: Graph, program: ExportedProgram, known: Mapping[str, Dense]) -> dict[str, Dense]:
    """Tensors that the graph uses though no state dict holds them: non-persistent buffers and constants."""
    return {name: from_torch(name, program.constants[name]) for name in graph.tensor_names() if name not in known}


def _load_program(path: Path) -> ExportedProgram:
    """`torch.export.load`, kept from unpickling objects: it falls back to that on its own."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [Path(name).name for name in archive.namelist()]
    except zipfile.BadZipFile as error:
        raise ConversionError("not an exported program (.pt2)", found=str(error)) from None
    if any(name.startswith(("opaque_obj", "custom_obj")) for name in names):
        raise ConversionError("the exported program holds Python objects, which loading would execute")
    with _weights_only(), _quiet():
        try:
            return torch.export.load(path)
        except DczError:
            raise
        except Exception as error:  # the loader lets through whatever damaged bytes bring about
            raise ConversionError(f"not an exported program (.pt2) that can be read: {_first_line(error)}") from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """Have every ``torch.load`` refuse code, those inside ``torch.export.load`` too."""
    variable = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(variable)
    os.environ[variable] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    training = {child: child.training for child in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for child, was_training in training.items():
            child.training = was_training


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings (of deprecation, mostly) that torch's own exporter causes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
