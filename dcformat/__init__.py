"""The container: bytes on one side, a graph and decoded tensors on the other. Knows no framework.

What writes containers (`write`, `encode`, `Encoded`) is imported on first use: reading needs none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..core.errors import (
    ChecksumError,
    ConversionError,
    DczError,
    FormatError,
    InputError,
    TruncatedError,
    UnsupportedOpError,
    UnsupportedVersionError,
)
from .container.reader import Container, TensorEntry, open
from .graph.builder import GraphBuilder, Value
from .graph.graph import Attr, Graph, Input, Node, Output, Shape
from .graph.legal import infer_shapes, make_node
from .graph.ops import OPS
from .graph.quantization import Quantization, Range
from .preprocess import Preprocess
from .tensors import Dense, Shared, SparseRaw, SparseShared, Tensor

if TYPE_CHECKING:
    from .container.writer import Encoded, encode, write

__all__ = [
    "OPS",
    "Attr",
    "ChecksumError",
    "Container",
    "ConversionError",
    "DczError",
    "Dense",
    "Encoded",
    "FormatError",
    "Graph",
    "GraphBuilder",
    "Input",
    "InputError",
    "Node",
    "Output",
    "Preprocess",
    "Quantization",
    "Range",
    "Shape",
    "Shared",
    "SparseRaw",
    "SparseShared",
    "Tensor",
    "TensorEntry",
    "TruncatedError",
    "UnsupportedOpError",
    "UnsupportedVersionError",
    "Value",
    "encode",
    "infer_shapes",
    "make_node",
    "open",
    "write",
]

_WRITING = ("Encoded", "encode", "write")


def __getattr__(name: str) -> Any:
    if name not in _WRITING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(".container.writer", __name__), name)
    globals()[name] = value
    return value
