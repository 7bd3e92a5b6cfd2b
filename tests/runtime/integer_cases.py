"""Integer layers, and their meaning in plain NumPy, for the tests of kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcz.runtime.kernels.contract import ConvGeometry, Share
from dcz.runtime.kernels.integer.dense import BlockTiling, ConvBytesDense
from dcz.runtime.kernels.integer.epilogue import IntegerEpilogue
from dcz.runtime.kernels.integer.planes import Planes
from dcz.runtime.kernels.integer.source import Source
from dcz.runtime.kernels.integer.sparse import ConvBytesSparse, QuadTiling

Tiling = QuadTiling | BlockTiling


@dataclass(frozen=True)
class IntegerCase:
    """A convolution of bytes to be tried."""

    seed: int = 7
    batch: int = 2
    channels: tuple[int, int] = (5, 7)
    size: tuple[int, int] = (9, 9)
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    density: float = 0.3
    residual: bool = True
    floats: bool = False
    steep: bool = False
    """Whether sums are scaled so that most lie beyond all int32."""
    wide: int = 0
    """Padding of the planes beyond what the layer needs."""
    apart: bool = True
    """Whether planes have padding between rows."""

    @property
    def geometry(self) -> ConvGeometry:
        """The layer's sizes."""
        out = (
            (self.size[i] + 2 * self.padding[i] - self.dilation[i] * (self.kernel[i] - 1) - 1) // self.stride[i] + 1
            for i in range(2)
        )
        sizes = self.batch, self.channels[0], *self.size, self.channels[1]
        return ConvGeometry(*sizes, self.kernel, self.stride, self.padding, self.dilation, self.groups, *out)

    def source(self, zero: int) -> Source:
        """The planes of input and output, all as wide as the layer needs."""
        g = self.geometry
        reach = [(g.kernel[i] - 1) * g.dilation[i] // g.stride[i] for i in range(2)]
        pads = [max(g.padding[i], reach[i]) + self.wide for i in range(2)]
        pads = pads if self.apart else [pads[0] + 1, 0]
        given = Planes(g.in_channels, g.height, g.width, *pads)
        return Source(g, given, Planes(g.out_channels, g.out_height, g.out_width, *pads), zero)


def sums_of(x: np.ndarray, weights: np.ndarray, g: ConvGeometry, zero: int) -> np.ndarray:
    """Sums of a convolution of integers, whose padding is `zero`: shape (batch, channels, height, width)."""
    edges = ((0, 0), (0, 0), *((p, p) for p in g.padding))
    padded = np.pad(x.astype(np.int64), edges, constant_values=zero)
    out = np.zeros((g.batch, g.out_channels, g.out_height, g.out_width), np.int64)
    inputs, outputs = g.in_channels // g.groups, g.out_channels // g.groups
    for group in range(g.groups):
        part = padded[:, group * inputs : (group + 1) * inputs]
        rows = slice(group * outputs, (group + 1) * outputs)
        for ky, kx in np.ndindex(g.kernel):
            y, x0 = ky * g.dilation[0], kx * g.dilation[1]
            seen = part[:, :, y:, x0:][:, :, :: g.stride[0], :: g.stride[1]][:, :, : g.out_height, : g.out_width]
            out[:, rows] += np.einsum("oi,nihw->nohw", weights[rows, :, ky, kx].astype(np.int64), seen)
    return out


def meaning(sums: np.ndarray, added: np.ndarray, e: IntegerEpilogue, floats: bool) -> np.ndarray:
    """What an epilogue makes of sums."""
    value = (sums + e.offset[:, None, None]).astype(np.int32).astype(np.float32) * e.factor[:, None, None]
    if e.residual:
        value = value + (added.astype(np.float32) - np.float32(e.residual_zero)) * np.float32(e.residual_factor)
    if floats:
        return np.clip(value, np.float32(e.low), np.float32(e.high))
    return np.clip(np.rint(value.astype(np.float64)) + e.zero, e.low, e.high).astype(np.uint8)


def tilings(source: Source) -> list[Tiling]:
    """Tilings of each kernel that fit."""
    most, outputs = source.made.halves, source.geometry.out_channels // source.geometry.groups
    quads = [QuadTiling(source, halves) for halves in {min(most, 2), min(most, 3)}]
    blocks = [BlockTiling(source, rows, min(most, 2)) for rows in {min(outputs, 4)}]
    return [*quads, *blocks]


def check(case: IntegerCase, tiling_of: int | None = None, parts: int = 2) -> None:
    """Compare all kernels, whole and in parts, with the meaning; `tiling_of` picks one tiling."""
    rng, g = np.random.default_rng(case.seed), case.geometry
    zero, out_zero = int(rng.integers(0, 256)), int(rng.integers(0, 256))
    source = case.source(zero)
    weights = rng.integers(-127, 128, (g.out_channels, g.in_channels // g.groups, *g.kernel)).astype(np.int8)
    weights[rng.random(weights.shape) >= case.density] = 0
    x = rng.integers(0, 256, (g.batch, g.in_channels, g.height, g.width)).astype(np.uint8)
    added = rng.integers(0, 256, (g.batch, g.out_channels, g.out_height, g.out_width)).astype(np.uint8)
    epilogue = IntegerEpilogue(
        offset=rng.integers(-5000, 5000, g.out_channels).astype(np.int32),
        factor=(rng.standard_normal(g.out_channels) * (1e8 if case.steep else 1 / 300)).astype(np.float32),
        zero=0 if case.floats else out_zero,
        low=-20.0 if case.floats else 11,
        high=30.0 if case.floats else 233,
        residual=case.residual,
        residual_zero=77,
        residual_factor=0.4,
    )
    wanted = meaning(sums_of(x, weights, g, zero), added, epilogue, case.floats)
    given, residual = planes_of(x, source.given, zero), planes_of(added, source.made, 77)
    kinds = {QuadTiling: ConvBytesSparse, BlockTiling: ConvBytesDense}
    for tiling in tilings(source) if tiling_of is None else [tilings(source)[tiling_of]]:
        layer = kinds[type(tiling)](weights, tiling, epilogue)
        for n in {1, parts}:
            out = np.full(g.batch * source.made.size, 170, np.float32 if case.floats else np.uint8)
            run(layer, source, given, out, residual, n)
            np.testing.assert_array_equal(source.made.view(out), wanted)
            if not case.floats:
                assert (padding(out, source.made) == out_zero).all()


def run(layer: ConvBytesSparse | ConvBytesDense, source: Source, x, out, added, parts: int) -> None:
    """Run a layer in parts, in reverse order."""
    taps, calls = source.prepare(x, room(source.scratch))
    for part in reversed(range(parts)):
        share: Share = (part, parts)
        calls += layer.bind(taps, out, added, room(layer.scratch_bytes), share)
    for function, arguments in calls:
        function(*arguments)


def room(size: int) -> np.ndarray:
    """Scratch memory, filled with what must not matter."""
    return np.full(max(size, 64), 99, np.uint8)


def planes_of(x: np.ndarray, form: Planes, zero: int) -> np.ndarray:
    """An array of samples in planes."""
    flat = np.full(len(x) * form.size, zero, np.uint8)
    form.view(flat)[...] = x
    return flat


def padding(flat: np.ndarray, form: Planes) -> np.ndarray:
    """All bytes of planes that are no pixels."""
    inside = np.zeros(len(flat), np.uint8)
    form.view(inside)[...] = 1
    return flat[inside == 0]
