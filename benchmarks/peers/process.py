"""Client side of a tool's process: an engine behind a pipe, or a coder that runs once."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import MissingToolError, Peer, Tool, error_line

PREPARE_SECONDS = 900
ANSWER_SECONDS = 600
"""Seconds without an answer after which an engine is given up."""


class Worker:
    """The process of an engine, from `start` to `close`. A context manager.

    Parameters
    ----------
    peer : Peer
    model, batch : Path
        The file that the engine reads, and the input as ``.npy``.
    threads : int
    folder : Path
        Of the environments.
    cpu_time : bool
        Count processor time.
    prepare : bool
        Make the files that the engine reads; False if an earlier worker has made them.
    variables : mapping of str to str, optional
        Environment variables, in addition to those of this process.

    Attributes
    ----------
    facts : dict
        Version, seconds to import, load and answer first, MiB after importing and at the peak.

    Raises
    ------
    MissingToolError
        The engine is not installed, fails or hangs; its methods raise it as well.
    """

    def __init__(
        self,
        peer: Peer,
        model: Path,
        batch: Path,
        threads: int,
        folder: Path,
        cpu_time: bool = False,
        prepare: bool = True,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        environment = os.environ | {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        environment |= variables or {}
        command = peer.command(folder)
        files = [str(model.absolute()), str(batch.absolute())]
        if peer.prepares and prepare:
            _finish([*command, "--prepare", *files], environment)
        self._messages = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [*command, *files, str(threads), *(["--cpu-time"] if cpu_time else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages, text=True, env=environment,
        )  # fmt: skip
        self.facts: dict[str, Any] = json.loads(self._read())

    def clock(self, runs: int) -> float:
        """Seconds of a number of runs, measured in the other process."""
        return float(self._ask("run", runs))

    def answer(self, path: Path) -> NDArray[np.float32]:
        """Its answer to the batch, transferred by a file."""
        self._ask("answer", str(path))
        result: NDArray[np.float32] = np.load(path)
        return result

    def close(self) -> None:
        """Close the pipe, and wait for the end of the process."""
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
        limit = threading.Timer(ANSWER_SECONDS, self._process.kill)
        limit.start()
        line = self._process.stdout.readline()
        timely = limit.is_alive()
        limit.cancel()
        if not line:
            self._process.communicate()
            self._messages.seek(0)
            with self._messages:
                reason = error_line(self._messages.read())
            raise MissingToolError(reason if timely else f"no answer within {ANSWER_SECONDS} seconds")
        return line


def count(coder: Tool, folder: Path, model: Path, weights: Path) -> int:
    """Bytes that a coder needs for a network.

    Parameters
    ----------
    coder : Tool
    folder : Path
        Of the environments.
    model, weights : Path
        The network as ONNX, and its weights alone as ``.npz``.

    Raises
    ------
    MissingToolError
        The coder is not installed, or fails.
    """
    return int(_finish([*coder.command(folder), str(model.absolute()), str(weights.absolute())]).splitlines()[-1])


def score(
    scorer: Tool, folder: Path, model: Path, calibration: NDArray[np.float32], test: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Answers of an engine that is quantised on some inputs, and keeps that network beside the model.

    Parameters
    ----------
    scorer : Tool
    folder : Path
        Of the environments.
    model : Path
        The network as ONNX, for one sample.
    calibration, test : ndarray of float32, shapes ``(N, *input_shape)``

    Raises
    ------
    MissingToolError
        The engine is not installed, or fails.
    """
    command = scorer.command(folder)
    files = {name: model.with_name(f"{name}.npy") for name in ("calibration", "test", "answers")}
    np.save(files["calibration"], calibration)
    np.save(files["test"], test)
    _finish([*command, str(model.absolute()), *(str(file.absolute()) for file in files.values())])
    answers: NDArray[np.float32] = np.load(files["answers"])
    return answers


def _finish(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command to its end; return its output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PREPARE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise MissingToolError(f"not done within {PREPARE_SECONDS} seconds") from error
    if done.returncode:
        raise MissingToolError(error_line(done.stderr))
    return done.stdout
