"""What a container is measured against: its network, dense again, in torch, on the CPU or on a GPU.

The code is the same for both devices; only the clock differs (events on CUDA, the wall clock elsewhere), and the
precisions that are worth a row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ...core.timing import clock_of
from ...dcformat import Dense, FormatError, open
from ...dcformat.tensors import Array
from .module import GraphModule

MODES = ("eager", "channels_last", "compile")
PRECISIONS = {"cpu": ("fp32",), "cuda": ("fp32", "tf32", "fp16")}
"""fp32 has TF32 switched off; tf32 keeps float32 tensors and lets the tensor cores round factors; fp16 is all half."""


@dataclass(frozen=True)
class Baseline:
    """A dense network, ready to be timed, or the reason why it is not.

    Attributes
    ----------
    name : str
        Mode and precision: "torch eager fp32".
    clock : callable or None
        ``clock(runs)`` gives the seconds that so many runs take.
    answer : ndarray of float32 or None
        What it answers to the batch.
    setup_seconds : float
        Time to build it and to answer once; compiling counts.
    not_run : str or None
        Why there is no clock.
    """

    name: str
    clock: Callable[[int], float] | None = None
    answer: Array | None = None
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
    batch: Array,
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
    batch : ndarray of float32, shape (N, *input_shape)
        What each run answers. It lies on the device beforehand: copying it there is not timed.
    device : {"cpu", "cuda"}
    threads : int
        torch's threads on the CPU, from now on, for the whole process.
    modes : sequence of str
        Of `MODES`.
    precisions : sequence of str, optional
        Of "fp32", "tf32" and "fp16"; those of `PRECISIONS` for the device by default.
    timer : callable
        Tells the time in seconds; on CUDA, events do.

    What an earlier call compiled is forgotten: its engines compile again if they are run again.

    Yields
    ------
    Baseline
        One a mode and precision. What a machine cannot do is there too, and says why.
    """
    chosen = list(product(PRECISIONS[device] if precisions is None else precisions, modes))
    if device == "cuda" and not torch.cuda.is_available():
        yield from (Baseline(_name(mode, precision), not_run="no CUDA device") for precision, mode in chosen)
        return
    torch.set_num_threads(threads)
    if "compile" in modes:
        torch.compiler.reset()  # what was compiled before counts against a limit
    torch.backends.cudnn.benchmark = True  # let cuDNN try its algorithms: the best that eager torch can do
    for precision, mode in chosen:
        start = time.perf_counter()
        try:
            _allow_tf32(tf32 := precision == "tf32")
            run = _runner(dense_module(path), batch, device, mode, precision)
            answer = run().float().cpu().numpy()
        except FormatError:
            raise
        except Exception as error:  # a compiler that is missing, an operator without a half-precision kernel, ...
            yield Baseline(_name(mode, precision), not_run=(str(error).strip() or repr(error)).splitlines()[0])
            continue
        clock = _event_clock(run, tf32) if device == "cuda" else clock_of(run, timer)
        yield Baseline(_name(mode, precision), clock, answer, time.perf_counter() - start)


def time_layers(path: str | os.PathLike[str], batch: Array, threads: int = 1, rounds: int = 20) -> dict[str, float]:
    """Median seconds of each convolution and linear layer in eager torch on the CPU, by the name of its weight tensor.

    The operator alone: what follows it (normalisation, activation, addition) is not counted.
    """
    torch.set_num_threads(threads)
    module = dense_module(path)
    times: dict[str, list[float]] = {}
    with torch.no_grad():
        for _ in range(rounds + 1):
            for name, seconds in module.time_weighted(torch.from_numpy(batch)):
                times.setdefault(name, []).append(seconds)
    return {name: median(seconds[1:]) for name, seconds in times.items()}  # the first run warms up


def settings(device: str = "cpu") -> dict[str, Any]:
    """The settings of torch that times depend on."""
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


def _runner(module: nn.Module, batch: Array, device: str, mode: str, precision: str) -> Callable[[], Tensor]:
    dtype = torch.float16 if precision == "fp16" else torch.float32
    layout = torch.channels_last if mode == "channels_last" and batch.ndim == 4 else torch.contiguous_format
    module = module.to(device=device, dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
    x = torch.from_numpy(batch).to(device=device, dtype=dtype).contiguous(memory_format=layout)
    if mode == "compile":
        # Freezing makes the weights constants, which inductor may then store in the order that its kernels like.
        module = torch.compile(module, fullgraph=True, dynamic=False, options={"freezing": True})  # type: ignore[assignment]

    def run() -> Tensor:
        with torch.no_grad():
            return module(x)  # type: ignore[no-any-return]

    return run


def _allow_tf32(allow: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allow


def _event_clock(run: Callable[[], Tensor], tf32: bool) -> Callable[[int], float]:
    """Time between two events in the stream: what the GPU needed, waiting for launches included."""

    def clock(runs: int) -> float:
        _allow_tf32(tf32)  # a setting of the process, and the turn before was another engine's
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
        start.record()
        for _ in range(runs):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3  # type: ignore[no-any-return]

    return clock
