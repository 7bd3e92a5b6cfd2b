"""The command itself, under the load of several clients on loopback."""

from __future__ import annotations

import http.client
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcz.runtime import Model

pytest.importorskip("uvicorn")


@pytest.fixture
def port(small_container: Path) -> Iterator[int]:
    """`dcz serve` in a process of its own, which must end in order when it is told to."""
    command = [sys.executable, "-m", "dcz", "serve", str(small_container), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "serving" in line)
        yield int(line.partition("127.0.0.1:")[2].partition(";")[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_answers_under_load(port: int, model: Model) -> None:
    images = np.random.default_rng(3).integers(0, 256, (40, 8, 8), dtype=np.uint8)

    def ask(pixels: np.ndarray) -> list[dict[str, object]]:
        body = io.BytesIO()
        Image.fromarray(pixels).save(body, "PNG")
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", "/classify", body.getvalue())
            response = connection.getresponse()
            assert response.status == 200
            return json.loads(response.read())["predictions"][0]

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, images))
    for best, expected in zip(answers, model.predict(list(images)), strict=True):
        assert [p["index"] for p in best] == [p.index for p in expected]
        np.testing.assert_allclose([p["score"] for p in best], [p.score for p in expected], rtol=1e-4)
