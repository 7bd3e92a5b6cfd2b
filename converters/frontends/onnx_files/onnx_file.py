"""Reading an ONNX file: its graph and the tensors that this needs, or every tensor and no graph."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from ....dcformat import ConversionError
from ..inputs import InputShapes, asked_inputs
from ..source import Source
from .arrays import STORABLE, element_type, read
from .named_tensors import named_tensors
from .program import capture_model


def from_onnx(path: Path, input_shape: InputShapes | None = None) -> Source:
    """Read the graph of an ONNX file, and the tensors that it needs.

    Parameters
    ----------
    path : Path
    input_shape : InputShapes, optional
        Shape of one sample, without the batch axis; of several inputs in order or by name. Needed where the file leaves
        sizes open; where it does not, the two must agree.

    Raises
    ------
    ConversionError
        The file is not ONNX, is damaged, leaves sizes open, or does not fit `input_shape`.
    UnsupportedOpError
        It uses operators that dcz does not have: the message names all.
    """
    source = Source({})
    with source.timed("load"):
        model = _load(path)
    with source.timed("capture"):
        capture_model(source, model, path, asked_inputs(input_shape) if input_shape is not None else None)
    return source


def weights_of(path: Path) -> Source:
    """Read every tensor of an ONNX file (`named_tensors`) and no graph; sparse tensors become dense.

    Tensors of types that a container does not support are left out: `Source.messages` names texts, `Source.lost` counts
    numbers.

    Raises
    ------
    ConversionError
        The file is not ONNX, is damaged, or has no tensors.
    """
    source = Source({})
    with source.timed("load"):
        for name, tensor in named_tensors(_load(path)):
            kind = element_type(tensor)
            if kind in STORABLE:
                source.tensors[name] = read(name, tensor, path.parent)
            elif kind == TensorProto.STRING:
                source.messages.append(f"left out of the container, which holds no texts: {name!r}")
            elif kind in TensorProto.DataType.values() and kind != TensorProto.UNDEFINED:
                source.lost[name] = prod(tensor.dims)
                source.way_out = (
                    f"cast {name!r} from {TensorProto.DataType.Name(kind)} to a type that a container holds"
                )
            else:
                raise ConversionError(f"tensor {name!r} has no known element type", found=kind)
    if not source.tensors and not source.lost:
        raise ConversionError("the ONNX file holds no tensors")
    source.messages.append("the container holds weights only, and no graph")
    return source


def _load(path: str | os.PathLike[str]) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except (DecodeError, onnx.checker.ValidationError, ValueError, OSError) as error:
        raise ConversionError(f"not an ONNX file that can be read: {error}") from error
