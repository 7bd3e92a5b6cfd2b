"""The shortest way of a call takes plain samples alone, and gives what the long way gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.dcformat import Graph, make_node, write
from dcz.runtime.compiled import executor
from dcz.runtime.engine import Runs
from dcz.runtime.kernels.contract import F32
from dcz.runtime.single import single_call


class Doubling:
    """Stands for an executor."""

    def run(self, batch: Sequence[F32], out: Sequence[F32]) -> None:
        out[0][...] = 2 * batch[0][..., :2]


SAMPLE = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


class Other(np.ndarray):
    """A subclass, which may mean something else."""


def test_a_plain_sample_is_run_by_an_idle_executor_or_a_new_one() -> None:
    idle, made = deque[Runs](), [Doubling()]
    call = single_call((3, 4), (3, 2), idle, made.pop)
    for _ in range(2):
        answer = call(SAMPLE)
        assert answer is not None
        np.testing.assert_array_equal(answer, 2 * SAMPLE[..., :2])
    assert not made
    assert len(idle) == 1


@pytest.mark.parametrize(
    "given",
    [
        SAMPLE.tolist(),
        SAMPLE.astype(np.float64),
        SAMPLE[0],
        np.concatenate([SAMPLE, SAMPLE]),
        SAMPLE[:, ::-1],
        SAMPLE.view(Other),
    ],
)
def test_all_else_is_left_to_the_long_way(given: object) -> None:
    assert single_call((3, 4), (3, 2), deque([Doubling()]), Doubling)(given) is None


def test_a_model_answers_alike_both_ways(tmp_path: Path) -> None:
    write(tmp_path / "relu.dcz", Graph((3, 4), (make_node("relu", (0,)),), 1), {})
    model = dcz.load(tmp_path / "relu.dcz", threads=1)
    turned = np.ascontiguousarray((SAMPLE - 5)[:, ::-1])
    frozen = turned.copy()
    frozen.flags.writeable = False
    for given in (turned, frozen, (SAMPLE - 5)[:, ::-1], turned.astype(np.float64), {"input": turned}):
        np.testing.assert_array_equal(model(given), np.maximum(turned, 0))


def test_addresses_of_arrays() -> None:
    for array in (SAMPLE, SAMPLE[:, 1:], np.zeros(0, np.float32)):
        told = executor._told_address(array)
        assert (executor._read_address(array).value or 0) == told
