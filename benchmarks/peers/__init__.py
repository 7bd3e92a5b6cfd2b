"""Other engines and coders. Each runs in its own process and, except torch, in its own virtual environment.

``python -m benchmarks.peers onnxruntime openvino`` makes the environments (in ``runs/peers``). Tools without one are
reported as missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SAME_TORCH = f"torch=={version('torch').partition('+')[0]}"
"""The same release must read the networks that this process exports."""


def _same(*packages: str) -> tuple[str, ...]:
    """Requirements of the versions that this process has; of any version of what it lacks."""
    present = {distribution.name.lower().replace("_", "-") for distribution in distributions()}
    return tuple(f"{package}=={version(package)}" if package in present else package for package in packages)


@dataclass(frozen=True)
class Tool:
    """Third-party software, run by a script beside this file.

    Attributes
    ----------
    name : str
    script : str
        Here.
    packages : tuple of str
        Packages that pip installs for it.
    bare : tuple of str
        Packages that pip installs without dependencies, which the script does not need.
    environment : str
        Name of the virtual environment, if it shares another tool's.
    npm : tuple of str
        Packages that npm installs in place of pip: a tool for browsers, which has no script.
    """

    name: str
    script: str
    packages: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    environment: str = ""
    npm: tuple[str, ...] = ()

    def python(self, folder: Path) -> Path:
        """Its Python interpreter; that of this process if it needs no packages."""
        if not (self.packages or self.environment):
            return Path(sys.executable)
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return (folder / (self.environment or self.name) / scripts).absolute()

    def command(self, folder: Path) -> list[str]:
        """Command that starts its script.

        Raises
        ------
        MissingToolError
            The tool is not installed.
        """
        python = self.python(folder)
        if not python.exists():
            raise MissingToolError.of(self.environment or self.name)
        return [str(python), str(HERE / self.script)]


@dataclass(frozen=True)
class Peer(Tool):
    """An engine.

    Attributes
    ----------
    reads : {"onnx", "one.onnx", "pt2", "dcz"}
        Kind of file; see `benchmarks.dense_files`.
    prepares : bool
        Whether its script makes files before it loads; see `worker.serve`.
    quick : bool
        Whether it is part of quick runs: not if its answers differ, or its preparation takes long.
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

DCZ_U8 = Peer("dcz u8", "with_dcz_u8.py", reads="dcz")
"""dcz with the 8-bit integers of a calibrated container."""

ONNXRUNTIME_AVX2 = Peer("onnxruntime avx2", "with_onnxruntime_avx2.py", environment="onnxruntime", prepares=True)
"""ONNX Runtime without AVX-512."""

CODERS = {
    coder.name: coder
    for coder in (
        Tool("onnx int8", "size_onnx_int8.py", environment="onnxruntime"),
        Tool("coreml", "size_coreml.py", ("coremltools",)),
        Tool("nnc", "size_nnc.py", ("numpy",), bare=("nncodec==2.1.3",)),
    )
}


SCORER = Tool("openvino", "score_openvino_int8.py", ("openvino", "nncf"))
"""OpenVINO int8 on a whole test set."""
ZIPNN = Tool("zipnn", "size_zipnn.py", ("zipnn==0.5.4", SAME_TORCH))
"""A coder of plain floats."""
ZOO = Tool(
    "zoo",
    "",
    (
        "timm==1.0.31", "torchvision==0.28.0", "segmentation-models-pytorch==0.6.0", "ultralytics==8.4.190",
        "transformers==5.24.0", "onnxscript==0.7.2", "onnxslim==0.1.98", SAME_TORCH,
        *_same("bitarray", "llvmlite", "numba", "numpy", "onnx", "onnxruntime", "pillow", "scikit-learn", "tqdm"),
    ),
)  # fmt: skip
"""The libraries whose networks are converted by `zoo`, and what dcz needs, in the versions of this process."""
COMPRESSORS = Tool(
    "compressors",
    "",
    (
        "coremltools==9.0", "nncf==3.4.0", "openvino==2026.4.1", "torchao==0.18.0", SAME_TORCH,
        *_same("bitarray", "llvmlite", "numba", "numpy", "onnx", "pillow", "scikit-learn", "tqdm"),
    ),
)  # fmt: skip
"""The tools that `benchmarks.questions.compressors` trains with, and what dcz needs."""
ONNXRUNTIME_WEB = Tool("onnxruntime-web", "", npm=("onnxruntime-web@1.30.0",))
"""An engine for browsers."""
TOOLS: dict[str, Tool] = {
    **PEERS,
    **CODERS,
    **{tool.name: tool for tool in (ZIPNN, ZOO, COMPRESSORS, ONNXRUNTIME_WEB)},
}


class MissingToolError(Exception):
    """A tool that is not installed, or that fails; the message says why."""

    @classmethod
    def of(cls, name: str) -> MissingToolError:
        """The error of a tool that is not installed."""
        return cls(f"not installed; install with: python -m benchmarks.peers {name}")


def install(name: str, folder: Path, run: Callable[..., Any] = subprocess.run) -> None:
    """Make the virtual environment of a tool, or its folder of packages for browsers.

    Raises
    ------
    MissingToolError
        pip or npm fails, or there is no npm.
    """
    try:
        for command in _installation(TOOLS[name], folder):
            run(command, check=True)
    except subprocess.CalledProcessError as error:
        raise MissingToolError(f"{name} was not installed: {' '.join(error.cmd)} failed") from error
    except FileNotFoundError as error:
        raise MissingToolError(f"{name} was not installed: there is no {error.filename}") from error


def _installation(tool: Tool, folder: Path) -> list[list[str]]:
    """The commands that install a tool."""
    if tool.npm:
        return [["npm", "install", "--ignore-scripts", "--prefix", str(folder / tool.name), *tool.npm]]
    python = str(tool.python(folder))
    pip = [python, "-m", "pip", "install", *([] if sys.stderr.isatty() else ["--quiet"])]  # pip draws its own bars
    commands = [[sys.executable, "-m", "venv", "--clear", str(folder / tool.name)], [*pip, *tool.packages]]
    return [*commands, [*pip, "--no-deps", *tool.bare]] if tool.bare else commands


def error_line(text: str) -> str:
    """The last line that names an error, else the last."""
    lines = text.strip().splitlines() or ["it ended without a word"]
    named = (line for line in reversed(lines) if "error" in line.lower() or line.startswith("Assertion"))
    return next(named, lines[-1])
