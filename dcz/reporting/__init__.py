"""One self-contained page about a container: sizes, layers, histograms, graph, provenance; and a model card."""

from .card import card
from .facts import Facts, collect, load_checkpoint
from .page import render
from .report import report
from .timing import LayerTimes, measure, read_bench

__all__ = ["Facts", "LayerTimes", "card", "collect", "load_checkpoint", "measure", "read_bench", "render", "report"]
