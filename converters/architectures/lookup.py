"""``--arch``: look up a name, or ``pkg.module:factory``, as an architecture, and build its network."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ...dcformat import ConversionError, Shape
from . import ARCHITECTURES, Architecture
from .libraries import LIBRARIES, library_architecture


def resolve(arch: str, input_shape: Shape | None = None) -> Architecture:
    """Look up ``--arch``: a known name, one of a library (``timm:NAME``), or ``pkg.module:factory`` (imported).

    Raises
    ------
    ConversionError
        There is no such name, module or factory; or a factory was given without `input_shape`.
    """
    if ":" not in arch:
        if arch not in ARCHITECTURES:
            raise ConversionError(
                f"unknown architecture {arch!r}", expected=f"pkg.module:factory or one of {', '.join(ARCHITECTURES)}"
            )
        return ARCHITECTURES[arch]
    if arch.partition(":")[0] in LIBRARIES:
        known = library_architecture(arch)
        if known.input_shape or input_shape is not None:
            return known if input_shape is None else replace(known, input_shape=input_shape)
    if input_shape is None:
        raise ConversionError(f"--arch {arch} needs the input shape", hint="give --input-shape, for example 3,224,224")
    module_name, _, attribute = arch.partition(":")
    try:
        with _current_folder_importable():
            factory = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # the user's own code
        raise ConversionError(f"--arch {arch} cannot be imported: {type(error).__name__}: {error}") from error
    return Architecture(arch, factory, input_shape)


def build(architecture: Architecture) -> nn.Module:
    """Build the network, with weights that are to be replaced.

    A user's factory runs on the CPU, since its constants and buffers may be needed; so do those of libraries, but that
    random weights are not drawn.

    Raises
    ------
    ConversionError
        The factory fails, or returns no module.
    """
    context: AbstractContextManager[Any] = nullcontext()
    if architecture.name in ARCHITECTURES:
        context = torch.device("meta")
    elif architecture.name.partition(":")[0] in LIBRARIES:
        context = _Undrawn()
    with context:
        return new_network(architecture)


class _Undrawn(TorchFunctionMode):
    """Within this context tensors that are to be filled by chance stay as they are: memory that nothing touches."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if function in _DRAWING:
            return args[0] if args else given["tensor"]
        return function(*args, **given)


_DRAWING = frozenset({nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_, Tensor.uniform_, Tensor.normal_})


def new_network(architecture: Architecture) -> nn.Module:
    """Build the network with new weights.

    Raises
    ------
    ConversionError
        The factory fails, or returns no module.
    """
    try:
        module = architecture.factory()
    except Exception as error:  # the user's own code
        raise ConversionError(f"--arch {architecture.name} failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise ConversionError(
            f"--arch {architecture.name} makes no network", expected="torch.nn.Module", found=type(module).__name__
        )
    return module


def signature(architecture: Architecture) -> dict[str, Shape]:
    """Shapes in the state dict of an architecture, by name.

    Raises
    ------
    ConversionError
        As for `build`.
    """
    if architecture.name in ARCHITECTURES:
        return _known_signature(architecture.name)
    if architecture.name.partition(":")[0] in LIBRARIES:
        with torch.device("meta"):
            return _shapes(architecture.factory())
    return _shapes(build(architecture))


@cache
def _known_signature(name: str) -> dict[str, Shape]:
    return _shapes(build(ARCHITECTURES[name]))


def _shapes(module: nn.Module) -> dict[str, Shape]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """Put the current folder on the import path, like ``python -m``: a console script lacks it."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # the imported module may change the path itself
            sys.path.remove(folder)
