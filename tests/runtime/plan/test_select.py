"""The choices of kernels, pinned: a change that is not meant to change them leaves `choices_*.txt` as they are.

After one that is meant to, write the files anew, and look at what differs::

    python tests/runtime/plan/test_select.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pytest

from dcz.dcformat import tensors
from dcz.runtime.kernels.contract import ConvGeometry, Epilogue, LinearGeometry
from dcz.runtime.kernels.conv.direct.sparse import ConvStream
from dcz.runtime.plan import select, select_batch16
from dcz.runtime.plan.problem import Choice
from dcz.runtime.plan.target import AVX2, AVX512, Target

TARGETS = {"avx512": AVX512, "avx2": AVX2}
EPILOGUES = Epilogue(), Epilogue(pool=True), Epilogue(residual=True)
DENSITIES = (0.02, 0.12, 0.3, 0.6, 1.0)
# Input and output channels, size, kernel, stride, padding, dilation, groups.
CONVOLUTIONS = (
    ((1, 20), (28, 28), (5, 5), 1, (0, 0), 1, 1),
    ((3, 96), (227, 227), (11, 11), 4, (0, 0), 1, 1),
    ((3, 64), (224, 224), (3, 3), 1, (1, 1), 1, 1),
    ((3, 16), (32, 32), (3, 3), 1, (1, 1), 1, 1),
    ((3, 96), (227, 227), (7, 7), 2, (0, 0), 1, 1),
    ((20, 50), (12, 12), (5, 5), 1, (0, 0), 1, 1),
    ((16, 16), (32, 32), (3, 3), 1, (1, 1), 1, 1),
    ((16, 32), (32, 32), (3, 3), 2, (1, 1), 1, 1),
    ((32, 32), (16, 16), (3, 3), 1, (1, 1), 1, 1),
    ((64, 64), (8, 8), (3, 3), 1, (1, 1), 1, 1),
    ((64, 64), (32, 32), (3, 3), 1, (1, 1), 1, 1),
    ((64, 64), (224, 224), (3, 3), 1, (1, 1), 1, 1),
    ((128, 128), (28, 28), (3, 3), 1, (1, 1), 1, 1),
    ((128, 256), (56, 56), (3, 3), 1, (1, 1), 1, 1),
    ((256, 256), (14, 14), (3, 3), 1, (1, 1), 1, 1),
    ((256, 256), (4, 4), (3, 3), 1, (1, 1), 1, 1),
    ((128, 128), (2, 2), (3, 3), 1, (1, 1), 1, 1),
    ((96, 256), (27, 27), (5, 5), 1, (2, 2), 1, 2),
    ((96, 16), (55, 55), (1, 1), 1, (0, 0), 1, 1),
    ((64, 256), (13, 13), (1, 1), 1, (0, 0), 1, 1),
    ((64, 128), (28, 28), (1, 1), 2, (0, 0), 1, 1),
    ((48, 48), (56, 56), (3, 3), 1, (1, 1), 1, 48),
    ((48, 96), (28, 28), (3, 3), 2, (1, 1), 1, 48),
    ((24, 24), (20, 48), (3, 3), 1, (1, 1), 1, 4),
    ((24, 18), (17, 33), (3, 5), 1, (1, 2), 1, 3),
    ((12, 12), (21, 21), (3, 3), 1, (2, 2), 2, 1),
    ((30, 40), (7, 9), (4, 2), 3, (3, 0), 1, 2),
    ((8, 6), (1, 40), (1, 7), 1, (0, 3), 1, 1),
    ((5, 7), (1, 1), (1, 1), 1, (0, 0), 1, 1),
    ((2, 3), (2, 3), (3, 3), 1, (1, 1), 1, 1),
)
LINEARS = ((784, 300), (300, 100), (100, 10), (20, 30), (31, 17), (4096, 256), (70000, 4))


def make_weight(shape: tuple[int, ...], density: float, centroids: int) -> tensors.Tensor:
    """Weights in fixed places, about as dense as wanted; 0 centroids: not shared."""
    size, rows = prod(shape), shape[0]
    spread = np.arange(size, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(1 << 32)
    mask = (spread < density * (1 << 32)).reshape(rows, -1)
    if density == 1 and not centroids:
        return tensors.Dense(np.ones(shape, np.float32), "F32")
    indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    columns = np.nonzero(mask)[1].astype(np.int32)
    if not centroids:
        return tensors.SparseRaw(shape, indptr, columns, np.ones(len(columns), np.float32))
    book = np.arange(1, centroids + 1, dtype=np.float32)
    return tensors.SparseShared(shape, indptr, columns, book, (np.arange(len(columns)) % centroids).astype(np.uint8))


def convolutions() -> Iterator[tuple[str, tensors.Tensor, ConvGeometry]]:
    """Convolutions, each with a name."""
    for layer, density in product(CONVOLUTIONS, DENSITIES):
        (inputs, outputs), size, kernel, stride, padding, dilation, groups = layer
        out = [(size[i] + 2 * padding[i] - dilation * (kernel[i] - 1) - 1) // stride + 1 for i in range(2)]
        geometry = ConvGeometry(
            1, inputs, *size, outputs, kernel, (stride, stride), padding, (dilation, dilation), groups, *out
        )
        weight = make_weight((outputs, inputs // groups, *kernel), density, 32 if density < 1 else 0)
        name = f"{inputs}-{outputs} {size[0]}x{size[1]} {kernel[0]}x{kernel[1]}/{stride} p{padding[0]},{padding[1]}"
        yield f"{name} d{dilation} g{groups} {density:g}", weight, geometry


def linears() -> Iterator[tuple[str, list[tensors.Tensor], LinearGeometry]]:
    """Fully connected layers, each with a name; their weights are not shared, or by codebooks of several sizes."""
    for (inputs, outputs), density in product(LINEARS, DENSITIES):
        weights = [make_weight((outputs, inputs), density, centroids) for centroids in (0, 15, 32, 100, 256)]
        yield f"{inputs}-{outputs} {density:g}", weights, LinearGeometry(1, inputs, outputs)


def line(name: str, lists: Sequence[list[Choice]]) -> str:
    """The best choice of each list, and a digest of all choices with their cycles."""
    best = " | ".join(choices[0].name if choices else "none" for choices in lists)
    told = "; ".join(f"{choice.name} {choice.cycles:.9g}" for choices in lists for choice in choices)
    return f"{name}: {best}, {sha256(told.encode()).hexdigest()[:12]}"


def lines(target: Target) -> Iterator[str]:
    """A line a layer, each with several epilogues and batches, or forms of its weights."""
    for name, weight, geometry in convolutions():
        one = [select.conv_choices(weight, geometry, epilogue, target) for epilogue in EPILOGUES]
        side_by_side = [select_batch16.conv_choices(weight, geometry, epilogue, target) for epilogue in EPILOGUES[:2]]
        yield line(name, [*one, *side_by_side])
    for name, weights, linear in linears():
        one = [select.linear_choices(weight, linear, Epilogue(), target) for weight in weights]
        yield line(name, [*one, select_batch16.linear_choices(weights[0], linear, Epilogue(), target)])


def pinned(name: str) -> Path:
    """The file of a target."""
    return Path(__file__).with_name(f"choices_{name}.txt")


@pytest.mark.parametrize("name", TARGETS)
def test_choices_are_those_that_are_pinned(name: str) -> None:
    assert list(lines(TARGETS[name])) == pinned(name).read_text().splitlines()


@pytest.mark.parametrize("name", TARGETS)
def test_sparse_kernels_are_packed_for_the_registers_of_the_target(name: str) -> None:
    """And not for those of the machine that compiles: kernels for other registers name instructions it lacks."""
    weight, ones = make_weight((24, 24, 3, 3), 0.12, 32), (1, 1)
    geometry = ConvGeometry(1, 24, 16, 16, 24, (3, 3), ones, ones, ones, 1, 16, 16)
    packed = [choice.pack() for choice in select.conv_choices(weight, geometry, Epilogue(), TARGETS[name])]
    streams = [layer for layer in packed if isinstance(layer, ConvStream)]
    assert {layer.kernel_name for layer in streams} >= {"conv_sliding", "conv_sparse"}
    assert {layer.tiling.wide for layer in streams} == {TARGETS[name].wide}


if __name__ == "__main__":
    for name, target in TARGETS.items():
        pinned(name).write_text("\n".join(lines(target)) + "\n")
