"""Samples that wait at the same time run as one batch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import numpy as np
import pytest

from dcz.serving.batching import Arrays, Batcher


def double(inputs: Mapping[str, np.ndarray]) -> Arrays:
    return {"y": 2 * inputs["x"]}


def batch(start: int, samples: int) -> dict[str, np.ndarray]:
    return {"x": np.arange(start, start + samples, dtype=np.float32)[:, None]}


def test_each_request_gets_its_own_samples_back() -> None:
    async def requests() -> list[Arrays]:
        async with Batcher(double, 8, 0.001) as batcher:
            return await asyncio.gather(*(batcher(batch(10 * i, 1 + i % 3)) for i in range(20)))

    for i, answer in enumerate(asyncio.run(requests())):
        np.testing.assert_array_equal(answer["y"], 2 * batch(10 * i, 1 + i % 3)["x"])


def test_samples_gather_while_the_model_runs() -> None:
    sizes: list[int] = []
    running, go_on = threading.Event(), threading.Event()

    def slow(inputs: Mapping[str, np.ndarray]) -> Arrays:
        running.set()
        go_on.wait(10)
        return double(inputs)

    async def requests() -> None:
        async with Batcher(slow, 4, 0.0, sizes.append) as batcher:
            first = asyncio.create_task(batcher(batch(0, 1)))
            await asyncio.to_thread(running.wait, 10)
            others = [asyncio.create_task(batcher(batch(i, 1))) for i in range(6)]
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.gather(first, *others)

    asyncio.run(requests())
    assert sizes == [1, 4, 2]


def test_an_error_reaches_those_who_asked_and_the_next_batch_runs() -> None:
    def fails_once(inputs: Mapping[str, np.ndarray]) -> Arrays:
        if inputs["x"][0, 0] < 0:
            raise ValueError("negative")
        return double(inputs)

    async def requests() -> Arrays:
        async with Batcher(fails_once, 4, 0.0) as batcher:
            with pytest.raises(ValueError, match="negative"):
                await batcher(batch(-1, 1))
            return await batcher(batch(3, 1))

    assert asyncio.run(requests())["y"] == 6


def test_who_has_gone_is_not_answered() -> None:
    async def requests() -> Arrays:
        async with Batcher(double, 4, 0.0) as batcher:
            gone = asyncio.create_task(batcher(batch(0, 1)))
            await asyncio.sleep(0)
            gone.cancel()
            return await batcher(batch(5, 1))

    assert asyncio.run(requests())["y"] == 10
