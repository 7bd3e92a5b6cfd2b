"""Conversion between torch tensors and NumPy arrays. NumPy has no bfloat16, so arrays hold the bits of BF16."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import torch

from ...dcformat import ConversionError, Dense
from ...dcformat.tensors import DTYPES, Array, dtype_name

STORABLE = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""torch's element types that a container supports, and their names in it."""


def from_torch(name: str, tensor: torch.Tensor) -> Dense:
    """Copy a tensor into an array, bit for bit.

    Parameters
    ----------
    name : str
        Name of the tensor, for errors.
    tensor : torch.Tensor
        Any strides, any device but ``meta``.

    Raises
    ------
    ConversionError
        The tensor is sparse or quantized, or a container does not support its element type.
    """
    if tensor.layout != torch.strided or tensor.is_quantized:
        hint = "store it dense"
        if tensor.is_quantized:
            hint = "store its dequantize(), or convert the float network, with --bits 8"
        kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        raise ConversionError(f"tensor {name!r} is not a plain dense tensor", found=kind, hint=hint)
    if tensor.dtype not in STORABLE:
        raise ConversionError(
            f"tensor {name!r} has an element type that a container cannot hold",
            expected=", ".join(STORABLE.values()),
            found=str(tensor.dtype).removeprefix("torch."),
        )
    plain = tensor.detach().cpu().resolve_neg().contiguous()
    if plain.dtype == torch.bfloat16:
        return Dense(plain.view(torch.int16).numpy().view(np.uint16), "BF16")
    return Dense(plain.numpy(), STORABLE[plain.dtype])


def from_state(state: Mapping[str, torch.Tensor]) -> dict[str, Dense]:
    """Copy a state dict, bit for bit. Several names of one tensor (tied weights) map to one `Dense`.

    Raises
    ------
    ConversionError
        As for `from_torch`.
    """
    known: dict[Hashable, Dense] = {}
    copied = {}
    for name, tensor in state.items():
        same = _memory(tensor)
        copied[name] = known[same] if same in known else from_torch(name, tensor)
        if same is not None:
            known[same] = copied[name]
    return copied


def _memory(tensor: torch.Tensor) -> Hashable:
    """Storage, offset and strides of a tensor: equal keys mean the same tensor. None: it has no storage."""
    if tensor.layout != torch.strided or not tensor.numel():
        return None
    return tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), tensor.is_neg()


def to_torch(tensor: Dense) -> torch.Tensor:
    """Copy a stored tensor into a torch tensor of the same element type, bit for bit."""
    array = np.array(tensor.array, dtype=DTYPES[tensor.dtype], order="C")
    if tensor.dtype == "BF16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def as_dense(tensor: Array | Dense) -> Dense:
    """Name the element type of an array that doesn't say it."""
    return tensor if isinstance(tensor, Dense) else Dense(tensor, dtype_name(tensor))
