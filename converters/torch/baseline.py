"""Baseline of measurements: the dense network of a container in torch, on the CPU or on a GPU.

The code is the same for both devices; only the clock differs (events on CUDA, the wall clock elsewhere), and the
precisions that are measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.difference import Answer
from ...core.timing import clock_of
from ...dcformat import Dense, FormatError, open
from ...dcformat.tensors import Array
from .module import GraphModule

MODES = ("eager", "channels_last", "compile")
PRECISIONS = {"cpu": ("fp32",), "cuda": ("fp32", "tf32", "fp16")}
"""fp32: TF32 is off. tf32: float32 tensors, but tensor cores round the factors. fp16: half precision throughout."""


@dataclass(frozen=True)
class Baseline:
    """A dense network, ready to be timed, or the reason why there is none.

    Attributes
    ----------
    name : str
        Mode and precision: "torch eager fp32".
    clock : callable or None
        ``clock(runs)`` returns the seconds of that number of runs.
    answer : ndarray of float32, dict of them by name, or None
        Its answer to the batch.
    setup_seconds : float
        Time to build it and to answer once, with compilation.
    not_run : str or None
        The reason why there is no clock.
    """

    name: str
    clock: Callable[[int], float] | None = None
    answer: Answer | None = None
    setup_seconds: float = 0.0
    not_run: str | None = None


def dense_module(path: str | os.PathLike[str]) -> GraphModule:
    """The network of a container with dense float32 weights, in eval mode.

    Raises
    ------
    FormatError
        The container is damaged, or holds no graph.
    """
    with open(path) as container:
        if container.graph is None:
            raise FormatError("container holds weights but no graph, so it can't run", path=container.path)
        entries = (container.entries[name] for name in container.graph.tensor_names())
        tensors = {entry.name: Dense(container.tensor(entry.name), entry.dtype) for entry in entries}
        module = GraphModule(container.graph, tensors)
    module.eval()
    return module


def baselines(
    path: str | os.PathLike[str],
    batch: Array | Sequence[Array],
    device: str = "cpu",
    threads: int = 1,
    modes: Sequence[str] = MODES,
    precisions: Sequence[str] | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> Iterator[Baseline]:
    """Build the dense network of a container in each mode and precision.

    Parameters
    ----------
    path : str or os.PathLike
    batch : ndarray of float32, shape ``(N, *input_shape)``, or sequence of ndarray
        Input of each run, or its inputs. It is copied to the device before, outside the timing.
    device : {"cpu", "cuda"}
    threads : int
        torch's threads on the CPU, from now on, for the whole process.
    modes : sequence of str
        Of `MODES`.
    precisions : sequence of str, optional
        Some of "fp32", "tf32" and "fp16"; by default those of `PRECISIONS` for the device.
    timer : callable
        Returns the time in seconds. Not used on CUDA, where events are.

    Compiled code of an earlier call is dropped: its engines compile again when they run.

    Yields
    ------
    Baseline
        One for each mode and precision, including those that the machine does not support, with the reason.
    """
    chosen = list(product(PRECISIONS[device] if precisions is None else precisions, modes))
    if device == "cuda" and not torch.cuda.is_available():
        yield from (Baseline(_name(mode, precision), not_run="no CUDA device") for precision, mode in chosen)
        return
    torch.set_num_threads(threads)
    if "compile" in modes:
        torch.compiler.reset()  # code compiled before counts against a limit
    torch.backends.cudnn.benchmark = True  # cuDNN tries its algorithms: the best of eager torch
    for precision, mode in chosen:
        start = time.perf_counter()
        try:
            _allow_tf32(tf32 := precision == "tf32")
            run = _runner(dense_module(path), batch, device, mode, precision)
            answer = _as_arrays(run())
        except FormatError:
            raise
        except Exception as error:  # no compiler, an operator without a half-precision kernel, ...
            yield Baseline(_name(mode, precision), not_run=(str(error).strip() or repr(error)).splitlines()[0])
            continue
        clock = _event_clock(run, tf32) if device == "cuda" else clock_of(run, timer)
        yield Baseline(_name(mode, precision), clock, answer, time.perf_counter() - start)


def time_layers(
    path: str | os.PathLike[str], batch: Array | Sequence[Array], threads: int = 1, rounds: int = 20
) -> dict[str, float]:
    """Median seconds of each convolution and linear layer in eager torch on the CPU, by the name of its weight tensor.

    Only the operator counts, without the normalisation, activation or addition after it.
    """
    torch.set_num_threads(threads)
    module = dense_module(path)
    times: dict[str, list[float]] = {}
    with torch.no_grad():
        for _ in range(rounds + 1):
            for name, seconds in module.time_weighted(*map(torch.from_numpy, _listed(batch))):
                times.setdefault(name, []).append(seconds)
    return {name: median(seconds[1:]) for name, seconds in times.items()}  # the first run warms up


def settings(device: str = "cpu") -> dict[str, Any]:
    """Settings of torch that affect times."""
    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "mkldnn": torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }
    if device == "cuda" and torch.cuda.is_available():
        facts |= {
            "cuda": torch.version.cuda,
            "gpu": torch.cuda.get_device_name(),
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "tf32": "on in the tf32 rows, off in the others (matmul and cudnn)",
        }
    return facts


def _name(mode: str, precision: str) -> str:
    return f"torch {mode} {precision}"


def _listed(batch: Array | Sequence[Array]) -> list[Array]:
    return [batch] if isinstance(batch, np.ndarray) else list(batch)


def _as_arrays(answer: Tensor | dict[str, Tensor]) -> Answer:
    if isinstance(answer, dict):
        return {name: tensor.float().cpu().numpy() for name, tensor in answer.items()}
    return answer.float().cpu().numpy()


def _runner(
    module: nn.Module, batch: Array | Sequence[Array], device: str, mode: str, precision: str
) -> Callable[[], Tensor | dict[str, Tensor]]:
    arrays = _listed(batch)
    dtype = torch.float16 if precision == "fp16" else torch.float32
    images = mode == "channels_last" and all(array.ndim == 4 for array in arrays)
    layout = torch.channels_last if images else torch.contiguous_format
    module = module.to(device=device, dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
    x = [
        torch.from_numpy(array)
        .to(device, dtype if array.dtype == np.float32 else None)
        .contiguous(memory_format=layout)
        for array in arrays
    ]
    if mode == "compile":
        # Freezing makes the weights constants, so inductor can reorder them for its kernels.
        module = torch.compile(module, fullgraph=True, dynamic=False, options={"freezing": True})  # type: ignore[assignment]

    def run() -> Tensor | dict[str, Tensor]:
        with torch.no_grad():
            return module(*x)  # type: ignore[no-any-return]

    return run


def _allow_tf32(allow: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allow


def _event_clock(run: Callable[[], object], tf32: bool) -> Callable[[int], float]:
    """Time between two events in the stream: GPU time, including waits for launches."""

    def clock(runs: int) -> float:
        _allow_tf32(tf32)  # a setting of the process, which other engines change
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        start.record()
        for _ in range(runs):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3  # type: ignore[no-any-return]

    return clock
