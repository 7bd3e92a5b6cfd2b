"""Layers, a float64 oracle, and buffers between guard zones, for the tests of kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from dcz.dcformat import tensors
from dcz.runtime.kernels.contract import ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from dcz.runtime.kernels.conv.batch16.sparse import ConvLanes, LaneTiling
from dcz.runtime.kernels.conv.batch16.sparse_small import ConvTaps, TapTiling
from dcz.runtime.kernels.conv.batch16.winograd import ConvWinogradLanes
from dcz.runtime.kernels.conv.direct.sparse_shift import ConvSliding, ShiftTiling
from dcz.runtime.kernels.conv.winograd.dense import ConvWinograd
from dcz.runtime.kernels.conv.winograd.sparse import ConvWinogradSparse
from dcz.runtime.kernels.conv.winograd.tiles import WinogradTiling
from dcz.runtime.plan import select, select_batch16

FORMS = ("sparse_shared", "sparse_raw", "shared", "dense", "dense_f16")
EPILOGUES = ("none", "scale", "shift", "relu", "relu6", "clip", "residual")
GUARD = 64
LANES = 16


@dataclass(frozen=True)
class ConvCase:
    """A convolution to be tried."""

    seed: int = 7
    batch: int = 2
    channels: tuple[int, int] = (5, 7)
    size: tuple[int, ...] = (9, 9)
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    density: float = 0.3
    form: str = "sparse_shared"
    codebook: int = 32
    epilogue: str = "residual"

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        h, w = (
            (self.size[i] + 2 * self.padding[i] - self.dilation[i] * (self.kernel[i] - 1) - 1) // self.stride[i] + 1
            for i in range(2)
        )
        return h, w


@dataclass(frozen=True)
class LinearCase:
    """A fully connected layer to be tried."""

    seed: int = 7
    batch: int = 2
    features: tuple[int, int] = (50, 30)
    density: float = 0.3
    form: str = "sparse_shared"
    codebook: int = 32
    epilogue: str = "residual"


def make_weight(
    rng: np.random.Generator, shape: tuple[int, ...], density: float, form: str, codebook_size: int
) -> tensors.Tensor:
    """Random weights in one of `FORMS`; some rows are empty."""
    mask = rng.random(shape) < density
    if density < 1:
        mask[rng.random(shape[0]) < 0.2] = False
    codebook = np.sort(rng.standard_normal(codebook_size)).astype(np.float32)
    symbols = rng.integers(0, codebook_size, shape).astype(np.uint8)
    rows, columns = np.nonzero(mask.reshape(shape[0], -1))
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int64)
    if form == "sparse_shared":
        return tensors.SparseShared(shape, indptr, columns.astype(np.int32), codebook, symbols[mask])
    if form == "sparse_raw":
        return tensors.SparseRaw(
            shape, indptr, columns.astype(np.int32), rng.standard_normal(len(columns)).astype(np.float32)
        )
    if form == "shared":
        codebook[0] = 0
        return tensors.Shared(shape, codebook, np.where(mask, symbols, np.uint8(0)).ravel())
    array = np.where(mask, rng.standard_normal(shape), 0)
    return tensors.Dense(
        array.astype(np.float16 if form == "dense_f16" else np.float32), "F16" if form == "dense_f16" else "F32"
    )


def make_epilogue(rng: np.random.Generator, kind: str, channels: int) -> Epilogue:
    """One of `EPILOGUES`."""
    scale, shift = (rng.standard_normal(channels).astype(np.float32) for _ in range(2))
    return {
        "none": Epilogue(),
        "scale": Epilogue(scale=scale),
        "shift": Epilogue(shift=shift),
        "relu": Epilogue(scale, shift, low=0),
        "relu6": Epilogue(scale, shift * 3, low=0, high=6),
        "clip": Epilogue(scale, shift, low=-0.5, high=0.75),
        "residual": Epilogue(scale, shift, residual=True, low=0),
    }[kind]


class Buffers:
    """Arrays between guard zones of NaN, in one block: a kernel that reads or writes beside one is found out."""

    def __init__(self) -> None:
        self._blocks: list[tuple[np.ndarray, int]] = []

    def make(self, shape: tuple[int, ...], fill: float = np.nan) -> np.ndarray:
        """Return a 64-byte aligned array of `shape`."""
        size = prod(shape)
        raw = np.full(size + 2 * GUARD + 16, np.nan, np.float32)
        start = GUARD + (-(raw.ctypes.data + 4 * GUARD) % 64) // 4
        self._blocks.append((raw, start))
        array = raw[start : start + size]
        array[:] = fill
        self._sizes = [*getattr(self, "_sizes", []), size]
        return array.reshape(shape)

    def check(self) -> None:
        """Fail if a guard zone was written to."""
        for (raw, start), size in zip(self._blocks, self._sizes, strict=True):
            assert np.isnan(raw[:start]).all()
            assert np.isnan(raw[start + size :]).all()


def run_layer(
    packed: PackedLayer, x: np.ndarray, out_shape: tuple[int, ...], residual: np.ndarray | None
) -> np.ndarray:
    """Run a packed layer whole and in parts, with different rubbish in scratch, and return its output."""
    results = []
    for rubbish, parts in ((np.nan, 1), (1e30, 2), (-1.0, 3)):
        buffers = Buffers()
        source, out = buffers.make(x.shape), buffers.make(out_shape)
        source[:] = x
        scratch = buffers.make((packed.scratch_elements,), rubbish)
        if residual is not None:
            out[:] = residual  # the output may be the residual
        for part in range(parts):
            scratch[:] = rubbish
            for function, arguments in packed.bind(
                source, out, None if residual is None else out, scratch, (part, parts)
            ):
                function(*arguments)
        buffers.check()
        np.testing.assert_array_equal(source, x)
        results.append(out)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
    return results[0]


def oracle_epilogue(sums: np.ndarray, epilogue: Epilogue, residual: np.ndarray | None) -> np.ndarray:
    """Apply an epilogue in float64; channels are axis 1."""
    shape = (1, -1) + (1,) * (sums.ndim - 2)
    if epilogue.scale is not None:
        sums = sums * epilogue.scale.astype(np.float64).reshape(shape)
    if epilogue.shift is not None:
        sums = sums + epilogue.shift.astype(np.float64).reshape(shape)
    if residual is not None:
        sums = sums + residual
    return np.clip(sums, epilogue.low, epilogue.high)


def conv_oracle(case: ConvCase, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Convolution in float64, tap by tap."""
    (ph, pw), (sh, sw), (dh, dw), (oh, ow) = case.padding, case.stride, case.dilation, case.out_size
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    groups = case.groups
    inputs, outputs = case.channels[0] // groups, case.channels[1] // groups
    out = np.zeros((len(x), case.channels[1], oh, ow))
    for g in range(groups):
        w = weight[g * outputs : (g + 1) * outputs].astype(np.float64)
        image = padded[:, g * inputs : (g + 1) * inputs]
        for ky, kx in np.ndindex(*case.kernel):
            rows = slice(ky * dh, ky * dh + (oh - 1) * sh + 1, sh)
            columns = slice(kx * dw, kx * dw + (ow - 1) * sw + 1, sw)
            out[:, g * outputs : (g + 1) * outputs] += np.einsum(
                "oc,nchw->nohw", w[:, :, ky, kx], image[:, :, rows, columns]
            )
    return out


def _layer(case: ConvCase, rng: np.random.Generator, batch: int) -> tuple[tensors.Tensor, Epilogue, ConvGeometry]:
    """What a packed convolution is made of."""
    shape = (case.channels[1], case.channels[0] // case.groups, *case.kernel)
    weight = make_weight(rng, shape, case.density, case.form, case.codebook)
    epilogue = make_epilogue(rng, case.epilogue, case.channels[1])
    geometry = ConvGeometry(
        batch, case.channels[0], *case.size, case.channels[1], case.kernel, case.stride, case.padding, case.dilation,
        case.groups, *case.out_size,
    )  # fmt: skip
    return weight, epilogue, geometry


def _conv(case: ConvCase, name: str | None, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(case.seed)
    weight, epilogue, geometry = _layer(case, rng, batch)
    x = rng.standard_normal((case.batch, case.channels[0], *case.size)).astype(np.float32)[:batch]
    out_shape = (batch, case.channels[1], *case.out_size)
    residual = (
        rng.standard_normal((case.batch, *out_shape[1:])).astype(np.float32)[:batch] if epilogue.residual else None
    )
    candidates = select.by_kernel(select.conv_choices(weight, geometry, epilogue))
    # Only tiny images are unrolled; the others try the chosen kernel once more.
    packed = candidates.get(name or "", next(iter(candidates.values())))()
    out = run_layer(packed, x, out_shape, residual)
    return out, oracle_epilogue(conv_oracle(case, weight.dense(), x), epilogue, residual)


def run_conv(case: ConvCase, name: str | None, batch: int | None = None) -> np.ndarray:
    """Output of a convolution by the named kernel, or the one chosen; `batch` takes the first samples only."""
    return _conv(case, name, batch or case.batch)[0]


def check_close(found: np.ndarray, expected: np.ndarray, greatest: float = 0) -> None:
    """Fail if any error exceeds 1e-5 of the greatest output, of `greatest`, or of 1, the size of weights and pixels.

    A small output alone would be a poor measure: it is a sum whose terms cancel.
    """
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max(initial=0) <= 1e-5 * max(1, greatest, np.abs(expected).max(initial=0))


def check_conv(case: ConvCase, name: str) -> None:
    """Compare a kernel with the oracle."""
    check_close(*_conv(case, name, case.batch))


def can_pool(case: ConvCase, tile: tuple[int, int]) -> bool:
    """Whether tiles of so many pixels can pool what they make."""
    return case.epilogue != "residual" and tile[0] % 2 == tile[1] % 2 == 0 and min(case.out_size) > 1


def pooled(images: np.ndarray) -> np.ndarray:
    """The greatest of each 2 x 2 pixels of images (samples, channels, height, width)."""
    height, width = (size // 2 * 2 for size in images.shape[2:])
    rows = np.maximum(images[:, :, :height:2], images[:, :, 1:height:2])
    return np.maximum(rows[..., :width:2], rows[..., 1:width:2])


def check_lanes(case: ConvCase, shape: tuple[int, int] | None = None, budget: int = 448, pool: bool = False) -> None:
    """Compare the convolution of 16 samples side by side with the oracle: tiles of a shape, or the one chosen."""
    weight, epilogue, geometry = _layer(case, np.random.default_rng(case.seed), LANES)
    epilogue = replace(epilogue, pool=pool)
    if shape is None:
        packed = select_batch16.conv_choices(weight, geometry, epilogue)[0].pack()
    else:
        packed = ConvLanes(weight, LaneTiling(geometry, shape, budget), epilogue)
    _check_lanes(case, packed, pool)


def check_taps(case: ConvCase, budget: int, pool: bool) -> None:
    """Compare the convolution, tap by tap, of 16 small images side by side with the oracle."""
    weight, epilogue, geometry = _layer(case, np.random.default_rng(case.seed), LANES)
    tiling = TapTiling(geometry, (geometry.height, geometry.width), budget)
    _check_lanes(case, ConvTaps(weight, tiling, replace(epilogue, pool=pool)), pool)


def _check_lanes(case: ConvCase, packed: PackedLayer, pool: bool) -> None:
    rng = np.random.default_rng(case.seed)
    weight, epilogue, _ = _layer(case, rng, LANES)
    x = rng.standard_normal((LANES, case.channels[0], *case.size)).astype(np.float32)
    out_shape = (case.channels[1], *(size // (1 + pool) for size in case.out_size), LANES)
    residual = rng.standard_normal(out_shape).astype(np.float32) if epilogue.residual else None
    out = run_layer(packed, np.ascontiguousarray(np.moveaxis(x, 0, -1)), out_shape, residual)
    added = None if residual is None else np.moveaxis(residual, -1, 0)
    expected = oracle_epilogue(conv_oracle(case, weight.dense(), x), epilogue, added)
    check_close(np.moveaxis(out, -1, 0), pooled(expected) if pool else expected)


def check_winograd(case: ConvCase, tile: tuple[int, int], pool: bool = False, edge: int | None = None) -> None:
    """Compare Winograd's algorithm with the oracle."""
    weight, epilogue, geometry = _layer(case, np.random.default_rng(case.seed), case.batch)
    tiling = WinogradTiling(geometry, *tile, LANES, edge)
    _check_winograd(case, ConvWinograd(weight, tiling, replace(epilogue, pool=pool)), False, pool)


def check_winograd_lanes(case: ConvCase, tile: tuple[int, int], pool: bool = False) -> None:
    """Compare Winograd's algorithm for 16 samples side by side with the oracle."""
    weight, epilogue, geometry = _layer(case, np.random.default_rng(case.seed), LANES)
    tiling = WinogradTiling(geometry, *tile, 1)
    _check_winograd(case, ConvWinogradLanes(weight, tiling, replace(epilogue, pool=pool)), True, pool)


def check_winograd_sparse(case: ConvCase, tile: tuple[int, int, int], pool: bool = False) -> None:
    """Compare Winograd's algorithm on weights that stay sparse with the oracle."""
    weight, epilogue, geometry = _layer(case, np.random.default_rng(case.seed), case.batch)
    tiling = WinogradTiling(geometry, *tile)
    packed = ConvWinogradSparse(weight, tiling, replace(epilogue, pool=pool))
    _check_winograd(case, packed, False, pool)


def _check_winograd(case: ConvCase, packed: PackedLayer, lanes: bool, pool: bool) -> None:
    rng = np.random.default_rng(case.seed)
    batch = LANES if lanes else case.batch
    weight, epilogue, _ = _layer(case, rng, batch)
    x = rng.standard_normal((batch, case.channels[0], *case.size)).astype(np.float32)
    out_shape = (batch, case.channels[1], *(size // (1 + pool) for size in case.out_size))
    residual = rng.standard_normal(out_shape).astype(np.float32) if epilogue.residual else None
    if lanes:
        added = None if residual is None else np.ascontiguousarray(np.moveaxis(residual, 0, -1))
        images = np.ascontiguousarray(np.moveaxis(x, 0, -1))
        out = np.moveaxis(run_layer(packed, images, (*out_shape[1:], LANES), added), -1, 0)
    else:
        out = run_layer(packed, x, out_shape, residual)
    # The error is relative to what the transforms see: sums before the epilogue cuts them off.
    sums = conv_oracle(case, weight.dense(), x)
    linear = oracle_epilogue(sums, Epilogue(epilogue.scale, epilogue.shift), None)
    expected = oracle_epilogue(sums, epilogue, residual)
    check_close(out, pooled(expected) if pool else expected, float(np.abs(linear).max(initial=0)))


def check_packed(case: ConvCase, pack: Callable[[tensors.Tensor, ConvGeometry, Epilogue], PackedLayer]) -> None:
    """Compare a convolution, packed by `pack`, with the oracle."""
    rng = np.random.default_rng(case.seed)
    weight, epilogue, geometry = _layer(case, rng, case.batch)
    x = rng.standard_normal((case.batch, case.channels[0], *case.size)).astype(np.float32)
    out_shape = (case.batch, case.channels[1], *case.out_size)
    residual = rng.standard_normal(out_shape).astype(np.float32) if epilogue.residual else None
    out = run_layer(pack(weight, geometry, epilogue), x, out_shape, residual)
    check_close(out, oracle_epilogue(conv_oracle(case, weight.dense(), x), epilogue, residual))


def check_sliding(case: ConvCase, rows: int, budget: int = 448) -> None:
    """Compare `conv_sliding` with the oracle, on tiles of `rows` vectors, rounded up to whole rows of pixels."""

    def pack(weight: tensors.Tensor, geometry: ConvGeometry, epilogue: Epilogue) -> PackedLayer:
        run = ShiftTiling.vectors_of_row(geometry)
        return ConvSliding(weight, ShiftTiling.of(geometry, -(-rows // run) * run, budget), epilogue)

    check_packed(case, pack)


def check_linear_lanes(case: LinearCase) -> None:
    """Compare a fully connected layer of 16 samples side by side with the oracle."""
    rng = np.random.default_rng(case.seed)
    inputs, outputs = case.features
    weight = make_weight(rng, (outputs, inputs), case.density, case.form, case.codebook)
    epilogue = make_epilogue(rng, case.epilogue, outputs)
    x = rng.standard_normal((inputs, LANES)).astype(np.float32)
    residual = rng.standard_normal((outputs, LANES)).astype(np.float32) if epilogue.residual else None
    packed = select_batch16.linear_choices(weight, LinearGeometry(LANES, inputs, outputs), epilogue)[0].pack()
    out = run_layer(packed, x, (outputs, LANES), residual)
    sums = x.T.astype(np.float64) @ weight.dense().astype(np.float64).T
    check_close(out.T, oracle_epilogue(sums, epilogue, None if residual is None else residual.T))


def _linear(case: LinearCase, name: str | None, batch: int) -> tuple[np.ndarray, np.ndarray, float]:
    """What the kernel and the oracle answer, and how large sums are before their terms cancel."""
    rng = np.random.default_rng(case.seed)
    inputs, outputs = case.features
    weight = make_weight(rng, (outputs, inputs), case.density, case.form, case.codebook)
    epilogue = make_epilogue(rng, case.epilogue, outputs)
    geometry = LinearGeometry(batch, inputs, outputs)
    x = rng.standard_normal((case.batch, inputs)).astype(np.float32)[:batch]
    residual = rng.standard_normal((case.batch, outputs)).astype(np.float32)[:batch] if epilogue.residual else None
    candidates = select.by_kernel(select.linear_choices(weight, geometry, epilogue))
    # Not every kernel takes every layer; where one doesn't, the chosen one is tried once more.
    packed = candidates.get(name or "", next(iter(candidates.values())))()
    out = run_layer(packed, x, (batch, outputs), residual)
    inputs_64, weights = x.astype(np.float64), weight.dense().astype(np.float64).T
    size = float(np.sqrt(inputs_64**2 @ weights**2).max(initial=0))
    return out, oracle_epilogue(inputs_64 @ weights, epilogue, residual), size


def run_linear(case: LinearCase, name: str | None, batch: int | None = None) -> np.ndarray:
    """Output of a linear layer by the named kernel, or the one chosen; `batch` takes the first samples only."""
    return _linear(case, name, batch or case.batch)[0]


def check_linear(case: LinearCase, name: str) -> None:
    """Compare a kernel with the oracle."""
    check_close(*_linear(case, name, case.batch))
