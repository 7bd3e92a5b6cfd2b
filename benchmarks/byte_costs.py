"""Fit the costs of convolutions of bytes to timings of single layers, in one thread.

    python -m benchmarks.byte_costs [--only PATTERN] [--runs N] [--gigahertz F]

Every choice of kernel and tile of each layer of `benchmarks.kernels` is timed, with random weights at the layer's
density. An estimate is linear in its costs, so least squares of relative errors, without negative costs, find them
(Lawson and Hanson 1974). Printed are the costs for `select_integer`, how far the estimates are from the
timings, and how much longer the choices by them take than the fastest ones, beside those of the costs in use.
"""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dcz.core.timing import Interleaved, clock_of
from dcz.runtime.jit import ready
from dcz.runtime.kernels.contract import ConvGeometry
from dcz.runtime.kernels.integer.epilogue import IntegerEpilogue
from dcz.runtime.kernels.integer.planes import Planes
from dcz.runtime.kernels.integer.source import Source
from dcz.runtime.plan.byte_target import ByteCosts
from dcz.runtime.plan.select_integer import IntegerChoice, choices
from dcz.runtime.plan.target import HOST

from .kernels import LAYERS, Conv

NAMES = tuple(field.name for field in fields(ByteCosts))
NEAR = 0.2
"""Relative error up to which an estimate counts as near."""


@dataclass(frozen=True)
class Timed:
    """The choices of a layer.

    Attributes
    ----------
    name : str
    features : ndarray of float64, shape (choices, costs)
        What each cost is multiplied by in the estimates.
    seconds : ndarray of float64, shape (choices,)
    """

    name: str
    features: NDArray[np.float64]
    seconds: NDArray[np.float64]


def timed(layer: Conv, runs: int) -> Timed:
    """Time the choices of a layer, interleaved; of each the least time."""
    weights, source, epilogue = _problem(layer)
    units = [replace(HOST.bytes, costs=ByteCosts(**{name: float(name == unit) for name in NAMES})) for unit in NAMES]
    columns = [{_key(found): found.cycles for found in choices(weights, source, epilogue, unit)} for unit in units]
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, source.given.size).astype(np.uint8)
    out = np.empty(source.made.size, np.uint8)
    taps, before = source.prepare(x, np.empty(max(1, source.scratch), np.uint8))
    for function, arguments in before:
        function(*arguments)
    clocks = {}
    for choice in choices(weights, source, epilogue, HOST.bytes):
        packed = choice.pack()
        ((function, arguments),) = map(
            ready, packed.bind(taps, out, out, np.empty(packed.scratch_bytes + 64, np.uint8))
        )
        clocks[_key(choice)] = clock_of(lambda f=function, a=arguments: f(*a), time.thread_time)
    turns = Interleaved(clocks)
    for _ in range(runs):
        turns.round()
    features = np.array([[column[key] for column in columns] for key in clocks])
    return Timed(layer.name, features, np.array([min(turns.seconds[key]) for key in clocks]))


def fit(layers: list[Timed]) -> NDArray[np.float64]:
    """The costs in seconds whose estimates have the least relative errors, by least squares."""
    from scipy.optimize import nnls

    features = np.concatenate([layer.features / layer.seconds[:, None] for layer in layers])
    found, _ = nnls(features, np.ones(len(features)))
    return np.asarray(found)


def quality(layers: list[Timed], costs: NDArray[np.float64]) -> str:
    """How good estimates by some costs are."""
    scale = np.median([s / e for layer in layers for s, e in zip(layer.seconds, layer.features @ costs, strict=True)])
    errors = np.concatenate([scale * (layer.features @ costs) / layer.seconds - 1 for layer in layers])
    losses = [layer.seconds[(layer.features @ costs).argmin()] / layer.seconds.min() - 1 for layer in layers]
    near = (np.abs(errors) <= NEAR).mean()
    return f"{near:.0%} of the estimates within {NEAR:.0%}; choices take {np.mean(losses):.1%} longer than the fastest"


def _problem(layer: Conv) -> tuple[NDArray[np.int8], Source, IntegerEpilogue]:
    rng, (inputs, outputs), k = np.random.default_rng(0), layer.channels, layer.kernel
    size = (layer.size + 2 * layer.padding - k) // layer.stride + 1
    pairs = (k, k), (layer.stride,) * 2, (layer.padding,) * 2, (1, 1)
    geometry = ConvGeometry(1, inputs, layer.size, layer.size, outputs, *pairs, layer.groups, size, size)
    weights = rng.integers(1, 128, (outputs, inputs // layer.groups, k, k)).astype(np.int8)
    weights[rng.random(weights.shape) >= layer.density] = 0
    pad = max(layer.padding, (k - 1) // layer.stride)
    given, made = Planes(inputs, layer.size, layer.size, pad, pad), Planes(outputs, size, size, pad, pad)
    epilogue = IntegerEpilogue(np.zeros(outputs, np.int32), np.full(outputs, 0.01, np.float32))
    return weights, Source(geometry, given, made, 0), epilogue


def _key(choice: IntegerChoice) -> tuple[str, int]:
    return choice.kernel, choice.halves


def _chosen(pattern: str) -> Iterator[Conv]:
    patterns = pattern.split(",")
    for layer in LAYERS:
        if isinstance(layer, Conv) and any(fnmatch.fnmatch(layer.name, each) for each in patterns):
            yield layer


def main(argv: list[str] | None = None) -> None:
    """Fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="names of layers, with wildcards, separated by commas")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument(
        "--gigahertz", type=float, default=3.7, help="of the processor: costs are printed in its cycles"
    )
    options = parser.parse_args(argv)
    layers = [timed(layer, options.runs) for layer in tqdm(list(_chosen(options.only)), unit="layer", disable=None)]
    costs = fit(layers)
    print("\n".join(f"{name}={1e9 * options.gigahertz * cost:.1f}," for name, cost in zip(NAMES, costs, strict=True)))
    in_use = np.array([getattr(HOST.bytes.costs, name) for name in NAMES])
    print(f"these: {quality(layers, costs)}\nthose in use: {quality(layers, in_use)}")


if __name__ == "__main__":
    main()
