"""Front end for checkpoints: state dicts in files of ``torch.save`` and safetensors, and their networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.export import ExportedProgram

from ....core.errors import quoted
from ....dcformat import ConversionError, Shape
from ...architectures.lookup import build
from ..arrays import from_state
from ..exported.capture import capture
from ..exported.ends import Flat
from ..inputs import Asked, InputShapes, asked_inputs
from ..source import Source
from .checkpoint import read_safetensors, read_torch
from .file_kind import Kind, kind_of
from .matching import Match, find, fit, nearest
from .nesting import find_state_dict
from .parametrized import apply_masks, fold

QUANTIZED = "torch quantized them: convert the state dict of the float network, with --bits 8 to make it as small"
"""Advice for packed weights, as ``torch.ao.quantization.quantize_dynamic`` makes them."""


def from_state_dict(
    path: Path, arch: str | None = None, input_shape: InputShapes | None = None, key: str | None = None
) -> Source:
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path : Path
        A file of safetensors or ``torch.save``.
    arch : str, optional
        A name in `ARCHITECTURES` or ``pkg.module:factory``. Without it the known architectures are searched for one
        whose keys and shapes fit; if there is none, the source has no graph.
    input_shape : InputShapes, optional
        Shape of one sample, or of several inputs; by default the architecture's own.
    key : str, optional
        Which of the checkpoint's dictionaries is the state dict: its keys, joined by dots, or the common prefix of its
        tensors' names.

    Raises
    ------
    ConversionError
        The file holds no state dict, or not one of that architecture.
    UnsupportedOpError
        The architecture uses an operator that dcz lacks.
    """
    source = Source({})
    asked = asked_inputs(input_shape) if input_shape is not None else None
    state, match = load_state(path, source, arch, asked[0].shape if asked else None, key)
    with source.timed("load"):
        source.tensors = from_state(state)
    if match is not None:
        with source.timed("capture"):
            _attach(source, match, state, asked)
    return source


def load_state(
    path: Path, source: Source, arch: str | None = None, input_shape: Shape | None = None, key: str | None = None
) -> tuple[dict[str, Tensor], Match | None]:
    """Read a checkpoint's state dict and match it with an architecture.

    Parameters
    ----------
    path, arch, input_shape, key
        As for `from_state_dict`.
    source : Source
        Receives messages on what was recognised and set aside, and what was lost.

    Returns
    -------
    state : dict of str to torch.Tensor
        The network's tensors under the checkpoint's names; weights in parts are combined. Without a match, all of the
        checkpoint's tensors.
    match : Match or None
        None if no known architecture fits and `arch` is not given.

    Raises
    ------
    ConversionError
    """
    with source.timed("load"):
        found = find_state_dict(_read(path, source), key)
    with source.timed("capture"):
        state, applied, match = _match(found.tensors, arch, input_shape, path.stem)
    beside = list(found.beside)
    if match is not None:
        beside += [*match.aside, *found.inside]
        state, masked = apply_masks(state, match.aside)
        applied += masked
    if beside:
        source.messages.append(f"set aside: {quoted(beside)}")
    source.messages += applied
    if match is None:
        source.lost, source.way_out = found.inside, QUANTIZED if found.quantized else None
        near = nearest(_shapes(state))
        source.messages.append(
            f"no known architecture has these keys and shapes{f' ({near})' if near else ''}: the container holds "
            "weights only; name the network with --arch pkg.module:factory to make it run"
        )
    elif arch is None:
        source.messages.append(f"recognised the architecture {match.architecture.name}")
    return state, match


def _read(path: Path, source: Source) -> Any:
    kind = kind_of(path)
    if kind is Kind.SAFETENSORS or (kind is None and path.suffix.lower() == ".safetensors"):
        tensors, metadata = read_safetensors(path)
        # PyTorch's files all have this entry; export writes it again.
        source.metadata = {name: text for name, text in metadata.items() if (name, text) != ("format", "pt")}
        return tensors
    return read_torch(path)


def _match(
    tensors: dict[str, Tensor], arch: str | None, input_shape: Shape | None, stem: str
) -> tuple[dict[str, Tensor], list[str], Match | None]:
    """The tensors with plain weights, messages about them, and the architecture."""
    plain, applied = fold(tensors)
    if arch is None:
        return plain, applied, find(_shapes(plain), stem)
    try:
        return plain, applied, fit(_shapes(plain), arch, input_shape)
    except ConversionError:
        if applied:
            with suppress(ConversionError):  # the user's network may have parametrizations itself
                return tensors, [], fit(_shapes(tensors), arch, input_shape)
        raise


def _shapes(state: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _attach(source: Source, match: Match, state: Mapping[str, Tensor], asked: Sequence[Asked] | None) -> None:
    """Set the source's graph: that of its architecture, with the checkpoint's names."""
    architecture = match.architecture
    module, own = build(architecture), match.own(state)
    captured = capture(module, asked or architecture.input_shape)
    captured.give(source, own, match.names)
    source.preprocess, source.labels = architecture.preprocess, architecture.labels
    source.reference = _reference(module, own, captured.program)


def _reference(module: nn.Module, state: Mapping[str, Tensor], program: ExportedProgram) -> Callable[[], nn.Module]:
    def load() -> nn.Module:
        module.load_state_dict(state, strict=False, assign=True)
        return Flat(module, program).eval()

    return load
