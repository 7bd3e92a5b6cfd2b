"""ONNX's tensors as stored tensors, bit for bit."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import SparseTensorProto, TensorProto, numpy_helper

from ....dcformat import ConversionError, Dense
from ....dcformat.constants import MAX_ELEMENTS
from ....dcformat.tensors import DTYPES, Array

STORABLE = {
    TensorProto.DOUBLE: "F64",
    TensorProto.FLOAT: "F32",
    TensorProto.FLOAT16: "F16",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.INT64: "I64",
    TensorProto.INT32: "I32",
    TensorProto.INT16: "I16",
    TensorProto.INT8: "I8",
    TensorProto.INT4: "I8",
    TensorProto.UINT64: "U64",
    TensorProto.UINT32: "U32",
    TensorProto.UINT16: "U16",
    TensorProto.UINT8: "U8",
    TensorProto.UINT4: "U8",
    TensorProto.BOOL: "BOOL",
}
"""ONNX's element types that a container supports, and their names in it. 4-bit numbers become 8-bit ones."""


def element_type(tensor: TensorProto | SparseTensorProto) -> int:
    """Number of a tensor's element type in ONNX."""
    return int(tensor.values.data_type if isinstance(tensor, SparseTensorProto) else tensor.data_type)


def read(name: str, tensor: TensorProto | SparseTensorProto, folder: Path) -> Dense:
    """Read a tensor whose element type is in `STORABLE`.

    Parameters
    ----------
    name : str
        For the error.
    tensor : TensorProto or SparseTensorProto
        A sparse one becomes dense.
    folder : Path
        Folder of external data.

    Raises
    ------
    ConversionError
        The tensor is damaged.
    """
    try:
        sparse = isinstance(tensor, SparseTensorProto)
        array = _densified(tensor, folder) if sparse else numpy_helper.to_array(tensor, str(folder))
    except (ValueError, TypeError, OSError, onnx.checker.ValidationError) as error:
        raise ConversionError(f"tensor {name!r} cannot be read: {error}") from error
    return dense(array, STORABLE[element_type(tensor)])


def dense(array: Array, dtype: str) -> Dense:
    """An array of onnx's as a stored tensor of this type."""
    if dtype == "BF16":
        wide = array.dtype == np.float32  # the same conversion for older versions of onnx
        return Dense((array.view(np.uint32) >> 16).astype(np.uint16) if wide else array.view(np.uint16), dtype)
    return Dense(array.astype(DTYPES[dtype], copy=False), dtype)


def _densified(tensor: SparseTensorProto, folder: Path) -> Array:
    """Make a sparse tensor dense. Its indices are flat, in row-major order, or have one column an axis."""
    shape = tuple(tensor.dims)
    if min(shape, default=0) < 0 or prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"a sparse tensor of shape {list(shape)}; a container holds up to {MAX_ELEMENTS} elements")
    values = numpy_helper.to_array(tensor.values, str(folder))
    places = numpy_helper.to_array(tensor.indices, str(folder))
    if values.ndim != 1 or places.shape not in ((len(values),), (len(values), len(shape))):
        raise ValueError(f"{list(places.shape)} positions for {list(values.shape)} values")
    if places.ndim == 2:
        places = np.ravel_multi_index(tuple(places.T), shape)
    if places.size and not 0 <= places.min() <= places.max() < prod(shape):
        raise ValueError(f"positions from {places.min()} to {places.max()} in a tensor of shape {list(shape)}")
    flat: Array = np.zeros(prod(shape), values.dtype)
    flat[places] = values
    return flat.reshape(shape)
