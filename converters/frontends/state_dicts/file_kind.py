"""Detection of the kind of a model file, by its first bytes rather than by its name."""

from __future__ import annotations

import os
import zipfile
from enum import Enum
from pathlib import Path, PurePosixPath

from ....dcformat import ConversionError
from ....dcformat.constants import MAGIC
from .checkpoint import WAY_OUT

LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""Start of a file of ``torch.save`` before PyTorch 1.6: a pickle of its magic number."""
_LUA = ("a file of Lua's Torch", "load it with the torchfile package and save its tensors with torch.save")
_PAGE = ("a web page", "download the file itself")
OTHERS = {
    MAGIC[:4]: (
        "a container already",
        "dcz convert takes it where its name ends in .dcz; dcz export gives its weights back",
    ),
    b"\x89HDF\r\n": ("an HDF5 file, as Keras writes it", "export the network as .onnx"),
    b"GGUF": ("a GGUF file", "save the float weights as .safetensors"),
    b"\x1f\x8b": ("compressed by gzip", "unpack it"),
    b"version https://git-lfs": ("a pointer of Git LFS in place of the file", "git lfs pull fetches it"),
    b"<!DOCTYPE html": _PAGE,
    b"<html": _PAGE,
    b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1": _LUA,
    b"\x03\x00\x00\x00\x01\x00\x00\x00": _LUA,
}
"""Other kinds of files that are named like checkpoints, by their first bytes: description and advice."""


class Kind(Enum):
    """A kind of model file."""

    TORCH = "a file of torch.save"
    SAFETENSORS = "a safetensors file"
    PROGRAM = "an exported program"


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a file; None if its bytes do not show it.

    Raises
    ------
    ConversionError
        The file is of a kind that no front end reads.
    OSError
        The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(64)
        size = file.seek(0, os.SEEK_END)
    for magic, (what, way_out) in OTHERS.items():
        if head.startswith(magic):
            raise ConversionError(f"the file is {what}", hint=way_out)
    if head.startswith(LEGACY):
        return Kind.TORCH
    if head.startswith(b"PK"):
        return _kind_of_archive(path)
    header = int.from_bytes(head[:8], "little")
    return Kind.SAFETENSORS if head[8:9] == b"{" and 8 + header <= size else None


def _kind_of_archive(path: Path) -> Kind | None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [PurePosixPath(name) for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None
    if any(member.parts[1:2] == ("code",) for member in members):
        raise ConversionError("a TorchScript file holds code, not a state dict", hint=WAY_OUT)
    names = {member.name for member in members}
    if names & {"archive_format", "serialized_exported_program.json"}:
        return Kind.PROGRAM
    return Kind.TORCH if "data.pkl" in names else None
