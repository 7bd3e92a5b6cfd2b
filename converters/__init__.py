"""Models in: checkpoints, modules and exported programs become containers; and back out."""

from .compare import Comparison, compare
from .convert import Report, convert
from .export import export
from .torch.module import GraphModule

__all__ = ["Comparison", "GraphModule", "Report", "compare", "convert", "export"]
