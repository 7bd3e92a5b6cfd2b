"""The container: bytes on one side, a graph and decoded tensors on the other. Knows no framework.

Everything but the errors is imported on first use: who runs a compiled model needs little of it, and reading needs
nothing of what writes.
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

if TYPE_CHECKING:
    from .container.reader import Container, TensorEntry, open
    from .container.writer import Encoded, encode, write
    from .graph.builder import GraphBuilder, Value
    from .graph.graph import Attr, Graph, Input, Node, Output, Shape
    from .graph.legal import infer_shapes, make_node
    from .graph.ops import OPS
    from .graph.quantization import Quantization, Range
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

_HOME = {
    "container.reader": ("Container", "TensorEntry", "open"),
    "container.writer": ("Encoded", "encode", "write"),
    "graph.builder": ("GraphBuilder", "Value"),
    "graph.graph": ("Attr", "Graph", "Input", "Node", "Output", "Shape"),
    "graph.legal": ("infer_shapes", "make_node"),
    "graph.ops": ("OPS",),
    "graph.quantization": ("Quantization", "Range"),
    "preprocess": ("Preprocess",),
    "tensors": ("Dense", "Shared", "SparseRaw", "SparseShared", "Tensor"),
}
"""By module: what it defines."""
_MODULES = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value
