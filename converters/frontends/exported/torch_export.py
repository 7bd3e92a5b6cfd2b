"""Graphs by ``torch.export``: of a module in Python, and of a ``.pt2`` file."""

from __future__ import annotations

import copy
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from ....dcformat import ConversionError, DczError
from ..arrays import from_state
from ..inputs import InputShapes, asked_inputs, check_asked
from ..source import Source
from .capture import batch_size, capture, lower_program
from .ends import Flat
from .tracing import check_values, first_line, quiet


def from_module(module: nn.Module, input_shape: InputShapes) -> Source:
    """Read a module: its graph, and the tensors of its state dict.

    Parameters
    ----------
    module : nn.Module
        Captured in eval mode; its mode is restored.
    input_shape : InputShapes
        Shape of one sample, without the batch axis, or of several inputs.

    Raises
    ------
    ConversionError
        torch cannot trace it, or its tensors cannot be stored.
    UnsupportedOpError
        It uses operators that dcz does not have.
    """
    check_values(module)
    source = Source({})
    with source.timed("capture"):
        captured = capture(module, input_shape)
    copies = _copies_of(module)
    source.reference = lambda: Flat(copies(), captured.program).eval()
    with source.timed("load"):
        state = module.state_dict()
        source.tensors = from_state(state)
        captured.give(source, state)
    if batch_size(captured.program) == 1:  # more could not be traced
        source.batch = 1
    return source


def from_pt2(path: Path, input_shape: InputShapes | None = None) -> Source:
    """Read a program that ``torch.export.save`` wrote; nothing in it is executed.

    Parameters
    ----------
    path : Path
    input_shape : InputShapes, optional
        Must agree with the program's, which is static.

    Raises
    ------
    ConversionError
        Not such a file, one that needs code to be unpickled, or one of another input shape.
    UnsupportedOpError
        It uses operators that dcz does not have.
    """
    source = Source({})
    with source.timed("load"):
        program = load_program(path)
        source.tensors = from_state(program.state_dict)
    with source.timed("capture"):
        captured = lower_program(program)
    if input_shape is not None:
        check_asked(captured.graph, asked_inputs(input_shape), "the exported program")
    captured.give(source, program.state_dict)
    source.reference, source.batch = lambda: Flat(program.module(), program), batch_size(program)
    return source


def _copies_of(module: nn.Module) -> Callable[[], nn.Module]:
    def copied() -> nn.Module:
        # A weight that a hook computes is no leaf of autograd, and torch copies leaves only.
        attributes = (value for child in module.modules() for value in vars(child).values())
        computed = [value for value in attributes if isinstance(value, torch.Tensor) and not value.is_leaf]
        return copy.deepcopy(module, {id(value): value.detach().clone() for value in computed}).eval()

    return copied


def load_program(path: Path) -> ExportedProgram:
    """Read a program by `torch.export.load`, kept from unpickling objects: it falls back to that on its own.

    Raises
    ------
    ConversionError
        Not such a file, or one that needs code to be unpickled.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [Path(name).name for name in archive.namelist()]
    except zipfile.BadZipFile as error:
        raise ConversionError("not an exported program (.pt2)", found=str(error)) from None
    if any(name.startswith(("opaque_obj", "custom_obj")) for name in names):
        raise ConversionError("the exported program holds Python objects, which loading would execute")
    with _weights_only(), quiet():
        try:
            return torch.export.load(path)
        except DczError:
            raise
        except Exception as error:  # the loader lets through whatever damaged bytes bring about
            raise ConversionError(f"not an exported program (.pt2) that can be read: {first_line(error)}") from error


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
