"""The container: bytes on one side, a graph and decoded tensors on the other. Knows no framework."""

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
from .graph import Attr, Graph, Node, Shape
from .ops import OPS, infer_shapes, make_node
from .preprocess import Preprocess
from .reader import Container, TensorEntry, open
from .tensors import Dense, Shared, SparseRaw, SparseShared, Tensor
from .writer import Encoded, encode, write

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
    "InputError",
    "Node",
    "Preprocess",
    "Shape",
    "Shared",
    "SparseRaw",
    "SparseShared",
    "Tensor",
    "TensorEntry",
    "TruncatedError",
    "UnsupportedOpError",
    "UnsupportedVersionError",
    "encode",
    "infer_shapes",
    "make_node",
    "open",
    "write",
]
