"""Time single layers: our kernels beside oneDNN (weights pre-reordered), eager torch, and NumPy with BLAS.

    python -m benchmarks.kernels [--only PATTERN] [--runs N] [--batch N] [--candidates] [--no-numpy] [--cpu-time]

For work on a kernel: it prints medians during the run, and with --candidates those of the kernels that were not chosen.
The benchmark `layers` of ``python -m benchmarks`` records results with facts about the machine.

One thread; engines are interleaved. Fully connected layers run with cold caches: a buffer larger than the last-level
cache is read before each run. Weights are random at the given density, with codebooks as the paper has them (8 bits in
convolutions, 5 bits in fully connected layers).
"""

# ruff: noqa: E402  (thread counts must be set before numpy is imported)
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import fnmatch
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch

from dcz.core.timing import Interleaved, clock_of
from dcz.dcformat.tensors import Dense, SparseShared, Tensor
from dcz.runtime.jit import ready
from dcz.runtime.kernels.contract import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from dcz.runtime.kernels.conv.direct.tile import Tiling
from dcz.runtime.plan import select

from .interleaved import cold_clock

Run = Callable[[], Any]


@dataclass(frozen=True)
class Conv:
    """A square convolution to time."""

    name: str
    channels: tuple[int, int]
    size: int
    kernel: int
    density: float
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bits: int = 8


@dataclass(frozen=True)
class Linear:
    """A fully connected layer to time."""

    name: str
    features: tuple[int, int]
    density: float
    bits: int = 5
    cold: bool = True


def _same(name: str, channels: int | tuple[int, int], size: int, density: float, bits: int = 8, **more: Any) -> Conv:
    pair = (channels, channels) if isinstance(channels, int) else channels
    return Conv(name, pair, size, 3, density, padding=1, bits=bits, **more)


LAYERS: list[Conv | Linear] = [
    Linear("alexnet.fc6", (9216, 4096), 0.09),
    Linear("alexnet.fc7", (4096, 4096), 0.09),
    Linear("alexnet.fc8", (4096, 1000), 0.25),
    Linear("vgg16.fc6", (25088, 4096), 0.04),
    Linear("vgg16.fc7", (4096, 4096), 0.04),
    Linear("vgg16.fc8", (4096, 1000), 0.23),
    Linear("lenet300.ip1", (784, 300), 0.08, bits=6, cold=False),
    Linear("lenet300.ip2", (300, 100), 0.09, bits=6, cold=False),
    Linear("lenet300.ip3", (100, 10), 0.26, bits=6, cold=False),
    Linear("lenet5.ip1", (800, 500), 0.08, cold=False),
    Linear("wide.codebook256", (4096, 4096), 0.09, bits=8),
    Conv("alexnet.conv1", (3, 96), 227, 11, 0.84, stride=4),
    Conv("alexnet.conv2", (96, 256), 27, 5, 0.38, padding=2, groups=2),
    _same("alexnet.conv3", (256, 384), 13, 0.35),
    _same("alexnet.conv4", 384, 13, 0.37, groups=2),
    _same("alexnet.conv5", (384, 256), 13, 0.37, groups=2),
    _same("vgg16.conv1_1", (3, 64), 224, 0.58),
    _same("vgg16.conv1_2", 64, 224, 0.22),
    _same("vgg16.conv2_1", (64, 128), 112, 0.34),
    _same("vgg16.conv2_2", 128, 112, 0.36),
    _same("vgg16.conv3_2", 256, 56, 0.24),
    _same("vgg16.conv4_2", 512, 28, 0.27),
    _same("vgg16.conv5_3", 512, 14, 0.36),
    _same("square.64x32", 64, 32, 0.30),
    _same("square.128x16", 128, 16, 0.30),
    _same("square.256x8", 256, 8, 0.30),
    _same("square.256x4", 256, 4, 0.30),
    _same("square.256x2", 256, 2, 0.30),
    _same("alexnet.conv3.10", (256, 384), 13, 0.10),
    _same("vgg16.conv1_2.10", 64, 224, 0.10),
    _same("vgg16.conv3_2.10", 256, 56, 0.10),
    _same("vgg16.conv4_2.10", 512, 28, 0.10),
    _same("vgg16.conv5_3.10", 512, 14, 0.10),
    _same("square.64x32.10", 64, 32, 0.10),
    _same("square.128x16.10", 128, 16, 0.10),
    _same("square.256x8.10", 256, 8, 0.10),
    _same("square.256x4.10", 256, 4, 0.10),
    _same("square.256x2.10", 256, 2, 0.10),
    _same("resnet20.16", 16, 32, 0.30),
    _same("resnet20.16-32", (16, 32), 32, 0.30, stride=2),
    _same("resnet20.32", 32, 16, 0.30),
    _same("resnet20.64", 64, 8, 0.30),
    _same("resnet20.3-16", (3, 16), 32, 1.0),
    Conv("lenet5.conv1", (1, 20), 28, 5, 0.66),
    Conv("lenet5.conv2", (20, 50), 12, 5, 0.12),
    Conv("squeezenet.conv1", (3, 96), 227, 7, 0.85, stride=2),
    Conv("squeezenet.fire2.squeeze", (96, 16), 55, 1, 0.33),
    Conv("squeezenet.fire2.expand1", (16, 64), 55, 1, 0.33),
    _same("squeezenet.fire2.expand3", (16, 64), 55, 0.33),
    Conv("squeezenet.fire5.squeeze", (256, 32), 27, 1, 0.33),
    _same("squeezenet.fire5.expand3", (32, 128), 27, 0.33),
    Conv("squeezenet.fire9.squeeze", (512, 64), 13, 1, 0.33),
    _same("squeezenet.fire9.expand3", (64, 256), 13, 0.33),
    Conv("squeezenet.conv10", (512, 1000), 13, 1, 0.33),
    _same("depthwise.64x56", 64, 56, 1.0, groups=64),
    _same("mobilenetv2.dw.96x112", 96, 112, 1.0, groups=96, stride=2),
    _same("mobilenetv2.dw.144x56", 144, 56, 1.0, groups=144),
    _same("mobilenetv2.dw.384x14", 384, 14, 1.0, groups=384),
    _same("mobilenetv2.dw.960x7", 960, 7, 1.0, groups=960),
    Conv("efficientnet.dw5.240x28", (240, 240), 28, 5, 1.0, padding=2, groups=240),
    Conv("convnext.dw7.96x56", (96, 96), 56, 7, 1.0, padding=3, groups=96),
    _same("depthwise.128x28.s2", 128, 28, 1.0, groups=128, stride=2),
]


def random_weight(rng: np.random.Generator, shape: tuple[int, ...], density: float, bits: int) -> Tensor:
    """Sparse shared weights, or a plain dense tensor at density 1."""
    if density == 1:
        return Dense(rng.standard_normal(shape).astype(np.float32), "F32")
    mask = rng.random((shape[0], int(np.prod(shape[1:])))) < density
    columns = np.nonzero(mask)[1].astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    live = (1 << bits) - 1  # the paper's codebooks have a symbol for zero, too
    codebook = np.sort(rng.standard_normal(live)).astype(np.float32)
    return SparseShared(shape, indptr, columns, codebook, rng.integers(0, live, len(columns)).astype(np.uint8))


def aligned(elements: int) -> np.ndarray:
    """Uninitialised float32 array on a 64-byte boundary."""
    raw = np.empty(elements * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + elements * 4].view(np.float32)


def ours(packed: PackedLayer, x: np.ndarray, out: np.ndarray) -> Run:
    """One call of a packed layer."""
    calls = [*map(ready, packed.bind(x, out, None, aligned(packed.scratch_elements)))]

    def run() -> None:
        for function, arguments in calls:
            function(*arguments)

    return run


def engines_of(layer: Conv | Linear, batch: int, every: bool) -> tuple[dict[str, Run], dict[str, Any]]:
    """Engines for a layer, in one thread, and facts about the layer.

    Parameters
    ----------
    layer : Conv or Linear
    batch : int
        Samples.
    every : bool
        All of our kernels, not only the chosen one.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    return (conv_engines if isinstance(layer, Conv) else linear_engines)(layer, rng, batch, every)


def conv_engines(
    layer: Conv, rng: np.random.Generator, batch: int, every: bool
) -> tuple[dict[str, Run], dict[str, Any]]:
    """Engines of a convolution, and facts about it."""
    i, o = layer.channels
    k, s, p, size = layer.kernel, layer.stride, layer.padding, layer.size
    out_size = (size + 2 * p - k) // s + 1
    pairs = [(k, k), (s, s), (p, p), (1, 1)]
    weight = random_weight(rng, (o, i // layer.groups, k, k), layer.density, layer.bits)
    geometry = ConvGeometry(batch, i, size, size, o, *pairs, layer.groups, out_size, out_size)
    shift = rng.standard_normal(o).astype(np.float32)
    epilogue = Epilogue(shift=shift, low=0.0)
    x = aligned(batch * i * size * size).reshape(batch, i, size, size)
    x[:] = rng.standard_normal(x.shape)
    out = np.empty((batch, o, out_size, out_size), np.float32)
    candidates = select.by_kernel(select.conv_choices(weight, geometry, epilogue))
    engines, facts = _our_engines(candidates, x, out, every)
    xt, wt, bt = torch.tensor(x), torch.tensor(weight.dense()), torch.tensor(shift)
    xl = xt.contiguous(memory_format=torch.channels_last)
    arguments = ([p, p], [s, s], [1, 1], layer.groups)
    packed = torch.ops.mkldnn._reorder_convolution_weight(wt, *arguments, list(x.shape))
    tail = ("relu", [], "")
    engines["prepacked"] = lambda: torch.ops.mkldnn._convolution_pointwise(xl, packed, bt, *arguments, *tail)
    engines["eager"] = lambda: torch.relu_(torch.nn.functional.conv2d(xt, wt, bt, s, p, 1, layer.groups))
    reference = engines["eager"]().numpy()
    flat = weight.dense().reshape(layer.groups, o // layer.groups, -1)

    def im2col() -> np.ndarray:
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(batch, layer.groups, -1, out_size * out_size)
        y = (flat @ columns).reshape(out.shape)
        y += shift[:, None, None]
        return np.maximum(y, 0, out=y)

    engines["numpy"] = im2col
    facts["macs"] = batch * (weight.nnz if layer.density < 1 else weight.size) * out_size**2
    return engines, _checked(facts, engines, out, reference)


def linear_engines(
    layer: Linear, rng: np.random.Generator, batch: int, every: bool
) -> tuple[dict[str, Run], dict[str, Any]]:
    """Engines of a fully connected layer, and facts about it."""
    i, o = layer.features
    weight = random_weight(rng, (o, i), layer.density, layer.bits)
    shift = rng.standard_normal(o).astype(np.float32)
    epilogue = Epilogue(shift=shift, low=0.0)
    x, out = aligned(batch * i).reshape(batch, i), np.empty((batch, o), np.float32)
    x[:] = rng.standard_normal(x.shape)
    candidates = select.by_kernel(select.linear_choices(weight, LinearGeometry(batch, i, o), epilogue))
    engines, facts = _our_engines(candidates, x, out, every)
    xt, wt, bt = torch.tensor(x), torch.tensor(weight.dense()), torch.tensor(shift)
    packed = torch.ops.mkldnn._reorder_linear_weight(wt, batch)
    engines["prepacked"] = lambda: torch.ops.mkldnn._linear_pointwise(xt, packed, bt, "relu", [], "")
    engines["eager"] = lambda: torch.relu_(torch.nn.functional.linear(xt, wt, bt))
    reference = engines["eager"]().numpy()
    dense = weight.dense()
    engines["numpy"] = lambda: np.maximum(x @ dense.T + shift, 0)
    facts["macs"] = batch * weight.nnz
    return engines, _checked(facts, engines, out, reference)


def _our_engines(candidates: Any, x: np.ndarray, out: np.ndarray, every: bool) -> tuple[dict[str, Run], dict[str, Any]]:
    engines: dict[str, Run] = {}
    facts: dict[str, Any] = {"chosen": next(iter(candidates))}
    for name, factory in candidates.items():
        start = time.perf_counter()
        packed = factory()
        facts.setdefault("pack_ms", 1e3 * (time.perf_counter() - start))
        facts.setdefault("weight_bytes", packed.weight_bytes)
        tiling = getattr(packed, "tiling", None)
        facts.setdefault("tile", [tiling.rows, tiling.span, tiling.bands] if isinstance(tiling, Tiling) else None)
        engines["dcz" if not engines else name] = ours(packed, x, out)
        if not every:
            break
    return engines, facts


def _checked(facts: dict[str, Any], engines: dict[str, Run], out: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    for name, run in engines.items():
        if name in ("prepacked", "eager"):
            continue
        out[:] = np.nan
        found = run()
        found = out if found is None else found
        error = float(np.abs(found - reference).max() / max(1e-30, np.abs(reference).max()))
        if not error < 2e-5:
            raise SystemExit(f"{name}: wrong result, error {error}")
    return facts


def interleaved_engines(layer: Conv | Linear, engines: dict[str, Run], timer: Callable[[], float]) -> Interleaved:
    """Interleaved engines: single runs with cold caches, for layers that need it, or short repeats."""
    if isinstance(layer, Linear) and layer.cold:
        return Interleaved({name: cold_clock(run, timer) for name, run in engines.items()}, turn_seconds=0)
    return Interleaved({name: clock_of(run, timer) for name, run in engines.items()})


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="names of layers, with wildcards, separated by commas")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument(
        "--cpu-time", action="store_true", help="time of the thread, not of the clock: on a busy machine"
    )
    parser.add_argument("--candidates", action="store_true", help="time every kernel, not only the one chosen")
    parser.add_argument("--no-numpy", action="store_true")
    options = parser.parse_args(argv)
    for layer in LAYERS:
        if not any(fnmatch.fnmatch(layer.name, pattern) for pattern in options.only.split(",")):
            continue
        engines, facts = engines_of(layer, options.batch, options.candidates)
        if options.no_numpy:
            del engines["numpy"]
        turns = interleaved_engines(layer, engines, time.thread_time if options.cpu_time else time.perf_counter)
        for _ in range(options.runs):
            turns.round()
        seconds = {name: median(times) for name, times in turns.seconds.items()}
        columns = " ".join(f"{n} {1e6 * t:.0f} ({t / seconds['dcz']:.2f}x)" for n, t in seconds.items() if n != "dcz")
        tile = "x".join(map(str, facts["tile"] or ()))
        print(
            f"{layer.name:26s} {layer.density:4.2f} {facts['chosen']:13s} {tile:8s} {1e6 * seconds['dcz']:8.0f} us "
            f"{facts['macs'] / seconds['dcz'] / 1e9:5.1f} GMAC/s  {columns}",
            flush=True,
        )


if __name__ == "__main__":
    main()
