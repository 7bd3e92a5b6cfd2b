"""Other engines, each in a process and, but for torch, a virtual environment of its own.

``python -m benchmarks.peers onnxruntime openvino`` makes the environments (in ``runs/peers``); what is not there is
reported as missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """An engine.

    Attributes
    ----------
    name : str
    script : str
        Here.
    packages : tuple of str
        What pip installs for it.
    environment : str
        Whose virtual environment it shares, if it has none of its own.
    reads : {"onnx", "dcz"}
    prepares : bool
        Whether its script makes files before it loads; see `worker.serve`.
    lossy : bool
        Whether it answers something else; left out of quick runs.
    """

    name: str
    script: str
    packages: tuple[str, ...] = ()
    environment: str = ""
    reads: str = "onnx"
    prepares: bool = False
    lossy: bool = False

    def python(self, folder: Path) -> Path:
        """Its interpreter: that of this process where it needs no packages of its own."""
        if not self.packages:
            return Path(sys.executable)
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return (folder / (self.environment or self.name) / scripts).absolute()


PEERS = {
    peer.name: peer
    for peer in (
        Peer("dcz", "with_dcz.py", reads="dcz", prepares=True),
        Peer("torch", "with_torch.py", reads="dcz", prepares=True),
        Peer("onnxruntime", "with_onnxruntime.py", ("onnxruntime",)),
        Peer("openvino", "with_openvino.py", ("openvino", "nncf")),
        Peer("openvino int8", "with_openvino_int8.py", ("openvino", "nncf"), "openvino", prepares=True, lossy=True),
        Peer("deepsparse", "with_deepsparse.py", ("deepsparse==1.8.0", "numpy<2")),
    )
}


class MissingPeerError(Exception):
    """An engine that is not installed, or that fails; the message says why."""


class Worker:
    """An engine's process, between `start` and `close`. A context manager.

    Attributes
    ----------
    facts : dict
        Version, seconds to import, load and answer first, MiB after importing and at the peak.
    """

    def __init__(
        self, peer: Peer, model: Path, batch: Path, threads: int, folder: Path, cpu_time: bool = False
    ) -> None:
        python = peer.python(folder)
        if not python.exists():
            raise MissingPeerError(
                f"not installed; install with: python -m benchmarks.peers {(peer.environment or peer.name)}"
            )
        environment = os.environ | {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        command = [str(python), str(HERE / peer.script)]
        files = [str(model.absolute()), str(batch.absolute())]
        if peer.prepares:
            prepare = [*command, "--prepare", *files]
            done = subprocess.run(prepare, capture_output=True, text=True, env=environment, timeout=600)
            if done.returncode:
                raise MissingPeerError(_error_line(done.stderr))
        self._messages = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [*command, *files, str(threads), *(["--cpu-time"] if cpu_time else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages, text=True, env=environment,
        )  # fmt: skip
        self.facts: dict[str, Any] = json.loads(self._read())

    def clock(self, runs: int) -> float:
        """Seconds that so many runs take there."""
        return float(self._ask("run", runs))

    def answer(self, path: Path) -> NDArray[np.float32]:
        """What it answers to the batch; travels through a file."""
        self._ask("answer", str(path))
        result: NDArray[np.float32] = np.load(path)
        return result

    def close(self) -> None:
        """Hang up, and wait until it is gone."""
        if self._process.poll() is None:
            self._process.communicate()
        self._messages.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, command: str, argument: object) -> str:
        assert self._process.stdin is not None
        print(json.dumps([command, argument]), file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            self._messages.seek(0)
            with self._messages:
                raise MissingPeerError(_error_line(self._messages.read()))
        return line


def install(name: str, folder: Path, run: Callable[..., Any] = subprocess.run) -> None:
    """Make the virtual environment of an engine."""
    peer = PEERS[name]
    place = folder / (peer.environment or peer.name)
    run([sys.executable, "-m", "venv", str(place)], check=True)
    run([str(peer.python(folder)), "-m", "pip", "install", "--quiet", *peer.packages], check=True)


def _error_line(text: str) -> str:
    """The last line that names an error, else the last."""
    lines = text.strip().splitlines() or ["it ended without a word"]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1])
