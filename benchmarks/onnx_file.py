"""ONNX files with dense weights, made from containers, for other engines. The batch size is fixed."""

from __future__ import annotations

from pathlib import Path

import onnx

import dcz
from dcz.converters.onnx_writing.model import to_onnx


def write(container: Path, path: Path, batch: int) -> Path:
    """Write the ONNX file of a container.

    Parameters
    ----------
    container, path : Path
    batch : int

    Returns
    -------
    Path
        `path`.
    """
    with dcz.open(container) as opened:
        assert opened.graph is not None
        model = to_onnx(opened, opened.graph, batch)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
