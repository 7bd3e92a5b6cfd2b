"""Summary of a loaded model as HTML: what a notebook shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import prod
from typing import TYPE_CHECKING

from ..core.errors import listed
from ..core.printable import printable
from ..dcformat import Container, Shape

if TYPE_CHECKING:
    from .model import Model


def summary(model: Model, container: Container) -> str:
    """A table of a model's file, ends and sizes.

    Parameters
    ----------
    model : Model
    container : Container
        Of the model.
    """
    stats, graph = model.stats, container.graph
    used = set(graph.tensor_names()) if graph is not None else set()
    dense = 4 * sum(prod(container.entries[name].shape) for name in used)
    rows = {
        "file": container.path,
        "bytes": f"{stats['file_bytes']:,}, {dense / stats['file_bytes']:.1f} times fewer than in fp32",
        "input": _shapes(model.input_shapes),
        "output": _shapes(model.output_shapes),
        "classes": f"{len(model.labels):,}: {listed(model.labels)}" if model.labels else "",
        "layers": f"{len(stats['layers'])}",
        "memory": f"{stats['weight_bytes']:,} bytes of weights, {stats['arena_bytes']:,} of activations for one sample",
        "threads": str(model.threads),
    }
    cells = (f"<tr><th>{name}</th><td>{escape(printable(text))}</td></tr>" for name, text in rows.items() if text)
    return f"<table><caption>dcz.Model</caption>{''.join(cells)}</table>"


def _shapes(shapes: Mapping[str, Shape]) -> str:
    """``3 x 32 x 32``, with names where there are several."""
    texts = {name: " x ".join(map(str, shape)) for name, shape in shapes.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items()) if len(texts) > 1 else "".join(texts.values())
