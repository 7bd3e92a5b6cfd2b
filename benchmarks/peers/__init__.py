"""Other engines and other coders, each in a process and, but for torch, a virtual environment of its own.

``python -m benchmarks.peers onnxruntime openvino`` makes the environments (in ``runs/peers``); what is not there is
reported as missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SAME_TORCH = f"torch=={version('torch').partition('+')[0]}"
"""A network that this process exports must be read by the same release."""


@dataclass(frozen=True)
class Tool:
    """A program of someone else's that a script beside this file runs.

    Attributes
    ----------
    name : str
    script : str
        Here.
    packages : tuple of str
        What pip installs for it.
    bare : tuple of str
        What pip installs without what that asks for, since the script needs nothing of it.
    environment : str
        Whose virtual environment it shares, if it has none of its own.
    """

    name: str
    script: str
    packages: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    environment: str = ""

    def python(self, folder: Path) -> Path:
        """Its interpreter: that of this process where it needs no packages of its own."""
        if not (self.packages or self.environment):
            return Path(sys.executable)
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return (folder / (self.environment or self.name) / scripts).absolute()

    def command(self, folder: Path) -> list[str]:
        """How its script is started.

        Raises
        ------
        MissingToolError
            It is not installed.
        """
        python = self.python(folder)
        if not python.exists():
            name = self.environment or self.name
            raise MissingToolError(f"not installed; install with: python -m benchmarks.peers {name}")
        return [str(python), str(HERE / self.script)]


@dataclass(frozen=True)
class Peer(Tool):
    """An engine.

    Attributes
    ----------
    reads : {"onnx", "one.onnx", "pt2", "dcz"}
        What kind of file; see `benchmarks.dense_files`.
    prepares : bool
        Whether its script makes files before it loads; see `worker.serve`.
    quick : bool
        Whether quick runs have it: not those that answer something else, or take long to prepare.
    """

    reads: str = "onnx"
    prepares: bool = False
    quick: bool = True


PEERS = {
    peer.name: peer
    for peer in (
        Peer("dcz", "with_dcz.py", reads="dcz", prepares=True),
        Peer("torch", "with_torch.py", reads="dcz", prepares=True),
        Peer("onnxruntime", "with_onnxruntime.py", ("onnxruntime", "onnx")),
        Peer("openvino", "with_openvino.py", ("openvino", "nncf")),
        Peer("openvino int8", "with_openvino_int8.py", environment="openvino", prepares=True, quick=False),
        Peer("litert", "with_litert.py", ("litert-torch", SAME_TORCH), reads="pt2", prepares=True, quick=False),
        Peer("ncnn", "with_ncnn.py", ("ncnn",), bare=("pnnx",), reads="one.onnx", prepares=True),
        Peer("ncnn fp16", "with_ncnn_fp16.py", environment="ncnn", reads="one.onnx", prepares=True, quick=False),
        Peer("deepsparse", "with_deepsparse.py", ("deepsparse==1.8.0", "numpy<2")),
    )
}

CODERS = {
    coder.name: coder
    for coder in (
        Tool("onnx int8", "size_onnx_int8.py", environment="onnxruntime"),
        Tool("coreml", "size_coreml.py", ("coremltools",)),
        Tool("nnc", "size_nnc.py", ("numpy",), bare=("nncodec==2.1.3",)),
    )
}


class MissingToolError(Exception):
    """A tool that is not installed, or that fails; the message says why."""


def install(name: str, folder: Path, run: Callable[..., Any] = subprocess.run) -> None:
    """Make the virtual environment of a tool.

    Raises
    ------
    MissingToolError
        pip does not manage.
    """
    tool = (PEERS | CODERS)[name]
    python = str(tool.python(folder))
    pip = [python, "-m", "pip", "install", *([] if sys.stderr.isatty() else ["--quiet"])]  # it draws bars of its own
    try:
        run([sys.executable, "-m", "venv", "--clear", str(folder / name)], check=True)
        run([*pip, *tool.packages], check=True)
        if tool.bare:
            run([*pip, "--no-deps", *tool.bare], check=True)
    except subprocess.CalledProcessError as error:
        raise MissingToolError(f"{name} was not installed: {' '.join(error.cmd)} failed") from error


def error_line(text: str) -> str:
    """The last line that names an error, else the last."""
    lines = text.strip().splitlines() or ["it ended without a word"]
    named = (line for line in reversed(lines) if "error" in line.lower() or line.startswith("Assertion"))
    return next(named, lines[-1])
