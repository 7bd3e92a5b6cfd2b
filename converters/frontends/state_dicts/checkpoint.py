"""Checkpoint files of ``torch.save`` and safetensors, read without executing anything in them."""

from __future__ import annotations

import argparse
import codecs
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

from ....dcformat import ConversionError

WAY_OUT = (
    "save model.state_dict(), or torch.export.save(torch.export.export(model, inputs), 'model.pt2'), "
    "or call dcz.convert(model, ...) in Python"
)
MAPPED_BYTES = 1 << 26
"""A safetensors file is reopened after reading this much: pages that were read stay mapped, and count as memory, until
the file is closed."""


def _no_bytes() -> bytes:
    """Stand-in for ``bytes``, which pickle protocol 2 calls for an empty text or array. It accepts no length."""
    return b""


_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_SCALAR = np.float64().__reduce__()[0]
HARMLESS: list[Any] = [
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((_RECONSTRUCT, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(kind)) for kind in "?bhilqBHILQefdgFDGSUMm"},
    codecs.encode,
    *((_no_bytes, f"{module}.bytes") for module in ("builtins", "__builtin__")),
    argparse.Namespace,
]
"""Globals in pickles of numpy's numbers, texts and arrays, under numpy 1 and 2, and of a training script's options.

None of them runs code, so an accuracy or a list of options beside the weights is accepted.
"""


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors of a ``.safetensors`` file, in its order, and its metadata.

    ``safetensors.torch.save_model`` leaves out further names of a tensor, and maps them to the first name in the
    metadata. They are restored.

    Raises
    ------
    ConversionError
        The file is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata, names = file.metadata() or {}, file.offset_keys()
        tensors = _read_mapped(path, names)
    except (safetensors.SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ConversionError(f"not a safetensors file that can be read: {error}") from error
    tied = {name: kept for name, kept in metadata.items() if name not in tensors and kept in tensors}
    tensors |= {name: tensors[kept] for name, kept in tied.items()}
    return tensors, {name: text for name, text in metadata.items() if name not in tied}


def _read_mapped(path: Path, names: list[str]) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    while len(tensors) < len(names):
        nbytes = 0
        with safetensors.safe_open(path, framework="pt") as file:
            for name in names[len(tensors) :]:
                tensors[name] = file.get_tensor(name).clone()
                nbytes += tensors[name].nbytes
                if nbytes >= MAPPED_BYTES:
                    break
    return tensors


def read_torch(path: Path) -> Any:
    """Read what ``torch.save`` wrote: tensors, numbers, texts, and lists, tuples and dictionaries of such.

    Raises
    ------
    ConversionError
        The file is damaged, or holds code.
    OSError
        The file does not exist or cannot be read.
    """
    try:
        with torch.serialization.safe_globals(HARMLESS), path.open("rb") as file:  # torch.load goes by a path's ending
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(error) from error
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise  # these messages are clear
    except Exception as error:  # torch's readers raise many kinds of errors on damaged bytes
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionError(f"not a checkpoint that can be read: {text[0].rstrip('.')}") from error


def _refusal(error: pickle.UnpicklingError) -> ConversionError:
    """Distinguish a pickle that would run code from a damaged one."""
    culprit = re.search(r"GLOBAL ([\w.]+)|class '?([\w.]+)", str(error))
    if culprit is None:
        return ConversionError("not a checkpoint that can be read: damaged, or not written by torch.save")
    name = culprit.group(1) or culprit.group(2)
    return ConversionError(
        "the file holds Python objects or a whole module, which loading would execute", found=name, hint=WAY_OUT
    )
