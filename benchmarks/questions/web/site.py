"""What the page of the benchmark fetches: both engines, one network in the form of each, and an input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcz.aot.compile import compile_model

from ... import onnx_file
from ...peers import ONNXRUNTIME_WEB, MissingToolError
from ...suite import HERE

RUNTIME = "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"
"""Files of onnxruntime-web for processors."""
_PAGE = HERE / "questions" / "web" / "page.html", HERE / "questions" / "web" / "engines.mjs"
_LOADER = HERE.parent / "examples" / "wasm" / "model.mjs"


def add_page(folder: Path, sample: NDArray[np.float32]) -> None:
    """Add the page and the input of all engines."""
    for source in _PAGE:
        shutil.copy(source, folder)
    sample.tofile(folder / "input.bin")


def add_dcz(folder: Path, container: Path) -> list[Path]:
    """Add the compiled network; the files that it needs."""
    compile_model(container, folder / "model.wasm", target="wasm32")
    return [folder / "model.wasm", Path(shutil.copy(_LOADER, folder))]


def add_onnxruntime(folder: Path, container: Path, peers: Path) -> list[Path]:
    """Add onnxruntime-web and the network as ONNX; the files that it needs.

    Raises
    ------
    MissingToolError
        It is not installed.
    """
    source = _package(peers) / "dist"
    (folder / "ort").mkdir()
    files = [Path(shutil.copy(source / name, folder / "ort")) for name in RUNTIME]
    return [onnx_file.write(container, folder / "network.onnx", 1), *files]


def onnxruntime_version(peers: Path) -> str:
    """Version of the onnxruntime-web that is installed."""
    return str(json.loads((_package(peers) / "package.json").read_text())["version"])


def _package(peers: Path) -> Path:
    folder = peers / ONNXRUNTIME_WEB.name / "node_modules" / "onnxruntime-web"
    if not folder.exists():
        raise MissingToolError.of(ONNXRUNTIME_WEB.name)
    return folder
