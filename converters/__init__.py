"""Conversion: checkpoints, modules and exported programs to containers, and containers back to checkpoints."""

from .compare import Comparison, compare
from .convert import Report, convert
from .export import export
from .torch.module import GraphModule

__all__ = ["Comparison", "GraphModule", "Report", "compare", "convert", "export"]
