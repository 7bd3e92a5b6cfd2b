"""Front end for ONNX files. It reads weights and no graph, so the container holds weights only."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import SparseTensorProto, TensorProto, numpy_helper

from ...dcformat import ConversionError, Dense
from ...dcformat.constants import MAX_ELEMENTS
from ...dcformat.tensors import DTYPES, Array
from .onnx_tensors import named_tensors
from .source import Source

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


def from_onnx(path: Path) -> Source:
    """Read every tensor of an ONNX file (`onnx_tensors.named_tensors`); sparse tensors become dense.

    Tensors of types that a container does not support are left out: `Source.messages` names texts, `Source.lost` counts
    numbers.

    Raises
    ------
    ConversionError
        The file is not ONNX, is damaged, or has no tensors.
    """
    source = Source({})
    with source.timed("load"):
        try:
            model = onnx.load(path)
        except (DecodeError, onnx.checker.ValidationError, ValueError, OSError) as error:
            raise ConversionError(f"not an ONNX file that can be read: {error}") from error
        for name, tensor in named_tensors(model):
            _add(source, name, tensor, path.parent)
    if not source.tensors and not source.lost:
        raise ConversionError("the ONNX file holds no tensors")
    source.messages.append("the graph of ONNX files is not converted yet: the container holds weights only")
    return source


def _add(source: Source, name: str, tensor: TensorProto | SparseTensorProto, folder: Path) -> None:
    sparse = isinstance(tensor, SparseTensorProto)
    kind = tensor.values.data_type if sparse else tensor.data_type
    if kind in STORABLE:
        try:
            array = _densified(tensor, folder) if sparse else numpy_helper.to_array(tensor, str(folder))
        except (ValueError, TypeError, OSError, onnx.checker.ValidationError) as error:
            raise ConversionError(f"tensor {name!r} cannot be read: {error}") from error
        source.tensors[name] = _dense(array, STORABLE[kind])
    elif kind == TensorProto.STRING:
        source.messages.append(f"left out of the container, which holds no texts: {name!r}")
    elif kind in TensorProto.DataType.values() and kind != TensorProto.UNDEFINED:
        source.lost[name] = prod(tensor.dims)
        source.way_out = f"cast {name!r} from {TensorProto.DataType.Name(kind)} to a type that a container holds"
    else:
        raise ConversionError(f"tensor {name!r} has no known element type", found=kind)


def _dense(array: Array, dtype: str) -> Dense:
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
    dense: Array = np.zeros(prod(shape), values.dtype)
    dense[places] = values
    return dense.reshape(shape)
