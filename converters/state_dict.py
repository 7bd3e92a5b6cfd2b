"""Checkpoints: state dicts in ``.pt``, ``.pth``, ``.th`` and ``.safetensors`` files, and the network of each."""

from __future__ import annotations

import codecs
import importlib
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import nn

from ..dcformat import ConversionError, Shape
from .architectures import ARCHITECTURES, Architecture
from .arrays import from_torch
from .capture import capture
from .source import Source

NESTED = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts keep the state dict."""
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
"""What wrappers (DataParallel, torch.compile, training frameworks) put before every key."""
WAY_OUT = (
    "save model.state_dict(), or torch.export.save(torch.export.export(model, inputs), 'model.pt2'), "
    "or call dcz.convert(model, ...) in Python"
)

_SCALAR = np.float64().__reduce__()[0]
NUMPY_NUMBERS: list[Any] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *{type(np.dtype(kind)) for kind in "?bhilqBHILQefd"},
    codecs.encode,
]
"""What pickles a numpy number, under numpy 1 and 2: an accuracy kept in a checkpoint is no reason to refuse it."""


def from_state_dict(path: Path, arch: str | None = None, input_shape: Shape | None = None) -> Source:
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or what ``torch.save`` wrote.
    arch : str, optional
        A name in `ARCHITECTURES` or ``pkg.module:factory``. Without it the known architectures are searched for one
        whose keys and shapes fit; if there is none, the source has no graph.
    input_shape : tuple of int, optional
        Shape of one sample; by default the architecture's own.

    Raises
    ------
    ConversionError
        Not a state dict, or not one of that architecture.
    UnsupportedOpError
        The architecture uses an operator that dcz does not have.
    """
    source = Source({})
    with source.timed("load"):
        state = read_safetensors(path) if path.suffix.lower() == ".safetensors" else read_torch(path, source.messages)
        source.tensors = {name: from_torch(name, value) for name, value in state.items()}
    with source.timed("capture"):
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        match = fit(shapes, arch, input_shape) if arch is not None else find(shapes)
        if match is None:
            source.messages.append(
                "no known architecture has these keys and shapes: the container holds weights only; "
                "name the network with --arch pkg.module:factory to make it run"
            )
            return source
        if arch is None:
            source.messages.append(f"recognised the architecture {match.architecture.name}")
        _attach(source, match, state, input_shape)
    return source


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a ``.safetensors`` file, in its order.

    Raises
    ------
    ConversionError
        The file is damaged.
    """
    try:
        return dict(load_file(path))
    except (safetensors.SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ConversionError(f"not a safetensors file that can be read: {error}") from error


def read_torch(path: Path, messages: list[str]) -> dict[str, torch.Tensor]:
    """Tensors of what ``torch.save`` wrote, in its order; what else it holds is told in `messages`.

    Raises
    ------
    ConversionError
        The file is damaged, holds code, or holds no tensors.
    OSError
        There is no such file, or it may not be read.
    """
    try:
        with torch.serialization.safe_globals(NUMPY_NUMBERS):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(error) from error
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise  # these say it themselves
    except Exception as error:  # damaged bytes make torch's readers raise nearly anything
        if "TorchScript" in str(error):
            raise ConversionError("a TorchScript file holds code, not a state dict", hint=WAY_OUT) from error
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(f"not a checkpoint that can be read: {text[0].rstrip('.')}") from error
    return _find_tensors(loaded, messages)


def _refusal(error: pickle.UnpicklingError) -> ConversionError:
    """Tell a pickle that would run code from one that is damaged."""
    culprit = re.search(r"GLOBAL ([\w.]+)|class ([\w.]+)", str(error))
    if culprit is None:
        return ConversionError("not a checkpoint that can be read: damaged, or not written by torch.save")
    name = culprit.group(1) or culprit.group(2)
    return ConversionError(
        "the file holds Python objects or a whole module, which loading would execute", found=name, hint=WAY_OUT
    )


def _find_tensors(loaded: Any, messages: list[str]) -> dict[str, torch.Tensor]:
    where = ""
    while isinstance(loaded, Mapping):
        nested = next((key for key in NESTED if isinstance(loaded.get(key), Mapping)), None)
        if nested is None:
            break
        where = f"{where}{nested}."
        _tell_left_out([key for key in loaded if key != nested], messages)
        loaded = loaded[nested]
    if not isinstance(loaded, Mapping):
        raise ConversionError("not a state dict", expected="a dictionary of tensors", found=type(loaded).__name__)
    tensors = {name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    wrong = next((name for name in tensors if not isinstance(name, str)), None)
    if wrong is not None:
        raise ConversionError("a tensor's name must be text", expected="str", found=repr(wrong))
    _tell_left_out([key for key in loaded if key not in tensors], messages)
    if not tensors:
        raise ConversionError("the checkpoint holds no tensors", where=where.rstrip(".") or None, hint=WAY_OUT)
    return tensors


def _tell_left_out(keys: list[Any], messages: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        messages.append(f"left out of the container: {', '.join(repr(key) for key in keys[:3])}{more}")


# Which network do these keys and shapes belong to?


class Match(NamedTuple):
    """An architecture, and the checkpoint's name of each of its tensors."""

    architecture: Architecture
    names: dict[str, str]


def find(shapes: Mapping[str, Shape]) -> Match | None:
    """The known architecture that has exactly these keys and shapes, prefixes apart; None if there is none."""
    for names in _readings(shapes):
        for architecture in ARCHITECTURES.values():
            if not _misfits(_signature(architecture), {own: shapes[name] for own, name in names.items()}):
                return Match(architecture, names)
    return None


def fit(shapes: Mapping[str, Shape], arch: str, input_shape: Shape | None = None) -> Match:
    """Match a checkpoint with the architecture that the user named.

    Raises
    ------
    ConversionError
        There is no such architecture, or it has other keys or shapes: names the first ones.
    """
    architecture = resolve(arch, input_shape)
    wanted = _signature(architecture)
    readings = list(_readings(shapes))
    problems = [_misfits(wanted, {own: shapes[name] for own, name in names.items()}) for names in readings]
    best = min(range(len(readings)), key=lambda i: len(problems[i]))
    if problems[best]:
        more = f"; and {len(problems[best]) - 3} more" if len(problems[best]) > 3 else ""
        known = find(shapes)
        hint = f"the keys and shapes are those of {known.architecture.name}" if known else None
        raise ConversionError(
            f"the checkpoint does not fit --arch {arch}: {'; '.join(problems[best][:3])}{more}", hint=hint
        )
    return Match(architecture, readings[best])


def resolve(arch: str, input_shape: Shape | None = None) -> Architecture:
    """Look up ``--arch``: a known name, or ``pkg.module:factory`` (imported and called).

    Raises
    ------
    ConversionError
        No such name, module or factory, or one that makes no module; or a factory without `input_shape`.
    """
    if ":" not in arch:
        if arch not in ARCHITECTURES:
            raise ConversionError(
                f"unknown architecture {arch!r}", expected=f"pkg.module:factory or one of {', '.join(ARCHITECTURES)}"
            )
        return ARCHITECTURES[arch]
    if input_shape is None:
        raise ConversionError(f"--arch {arch} needs the input shape", hint="give --input-shape, for example 3,224,224")
    module_name, _, attribute = arch.partition(":")
    try:
        with _current_folder_importable():
            factory = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # the user's own code
        raise ConversionError(f"--arch {arch} cannot be imported: {type(error).__name__}: {error}") from error
    return Architecture(arch, factory, input_shape)


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """As with ``python -m``; without it a console script sees what is installed alone."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # what is imported may change the path itself
            sys.path.remove(folder)


def _readings(shapes: Mapping[str, Shape]) -> Iterator[dict[str, str]]:
    """The checkpoint's names by what a network may call them: as they are, and with common prefixes stripped."""
    names = {name: name for name in shapes}
    while True:
        yield names
        prefix = next((p for p in PREFIXES if names and all(own.startswith(p) for own in names)), None)
        if prefix is None:
            return
        names = {own.removeprefix(prefix): name for own, name in names.items()}


def _is_counter(name: str) -> bool:
    """Whether a tensor only counts batches: PyTorch before 0.4.1 had none, and inference needs none."""
    return name.rpartition(".")[2] == "num_batches_tracked"


def _misfits(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> list[str]:
    problems = []
    for name in wanted:
        if name in found and found[name] != wanted[name]:
            problems.append(f"{name!r} has shape {list(found[name])} where {list(wanted[name])} is expected")
    problems += [f"{name!r} is missing" for name in wanted if name not in found and not _is_counter(name)]
    problems += [f"{name!r} is unexpected" for name in found if name not in wanted and not _is_counter(name)]
    return problems


def _signature(architecture: Architecture) -> dict[str, Shape]:
    if architecture.name in ARCHITECTURES:
        return _known_signature(architecture.name)
    return {name: tuple(value.shape) for name, value in _build(architecture).state_dict().items()}


@cache
def _known_signature(name: str) -> dict[str, Shape]:
    with torch.device("meta"):
        state = ARCHITECTURES[name].factory().state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


def _build(architecture: Architecture) -> nn.Module:
    """Make the network. A foreign factory runs on the CPU: what it computes (constants, buffers) may be needed."""
    if architecture.name in ARCHITECTURES:
        with torch.device("meta"):
            return architecture.factory()
    try:
        module = architecture.factory()
    except Exception as error:  # the user's own code
        raise ConversionError(f"--arch {architecture.name} failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise ConversionError(
            f"--arch {architecture.name} makes no network", expected="torch.nn.Module", found=type(module).__name__
        )
    return module


def _attach(source: Source, match: Match, state: Mapping[str, torch.Tensor], input_shape: Shape | None) -> None:
    """Give the source the graph of its architecture, in the checkpoint's names."""
    architecture = match.architecture
    module = _build(architecture)
    own = {own: state[name] for own, name in match.names.items()}
    capture(module, input_shape or architecture.input_shape).give(source, own, match.names)
    source.preprocess, source.labels = architecture.preprocess, architecture.labels
    source.reference = _reference(module, own)


def _reference(module: nn.Module, state: Mapping[str, torch.Tensor]) -> Callable[[], nn.Module]:
    def load() -> nn.Module:
        module.load_state_dict(state, strict=False, assign=True)
        return module.eval()

    return load
