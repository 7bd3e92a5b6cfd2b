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
from .container.reader import Container, TensorEntry, open
from .container.writer import Encoded, encode, write
from .graph.builder import GraphBuilder, Value
from .graph.graph import Attr, Graph, Node, Shape
from .graph.legal import infer_shapes, make_node
from .graph.ops import OPS
from .preprocess import Preprocess
from .tensors import Dense, Shared, SparseRaw, SparseShared, Tensor

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
    "Value",
    "encode",
    "infer_shapes",
    "make_node",
    "open",
    "write",
]
