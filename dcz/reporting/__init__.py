"""One self-contained page about a container: sizes, layers, histograms, graph, provenance."""

from .facts import Facts, collect, load_checkpoint
from .page import render
from .report import report
from .timing import LayerTimes, measure, read_bench

__all__ = ["Facts", "LayerTimes", "collect", "load_checkpoint", "measure", "read_bench", "render", "report"]
