"""The service: what it answers, and what it refuses."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from dcz.runtime import Model

PIXELS = np.random.default_rng(1).integers(0, 256, (12, 12), dtype=np.uint8)


def png(pixels: np.ndarray = PIXELS) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def test_an_image_is_classified_as_the_model_does(client: Callable, model: Model) -> None:
    response = client().post("/classify?top=2", content=png())
    (best,) = model.predict([Image.fromarray(PIXELS)], top=2)
    assert response.status_code == 200
    assert response.json() == {"predictions": [[p._asdict() for p in best]]}


def test_arrays_of_images_and_of_inputs(client: Callable, model: Model) -> None:
    service = client()
    inputs = np.random.default_rng(2).normal(size=(3, 1, 8, 8)).astype(np.float32)
    answers = service.post("/classify", content=npy(inputs)).json()["predictions"]
    assert [[p["label"] for p in best] for best in answers] == [
        [p.label for p in best] for best in model.predict(inputs)
    ]
    assert len(service.post("/classify", content=npy(PIXELS)).json()["predictions"]) == 1


def test_lists_are_run_as_arrays(client: Callable, model: Model) -> None:
    service = client()
    batch = np.ones((2, 1, 8, 8), np.float32)
    for inputs in (batch.tolist(), {"input": batch.astype(int).tolist()}):
        response = service.post("/run", json={"inputs": inputs})
        np.testing.assert_allclose(response.json()["outputs"]["output"], model(batch), rtol=1e-6)


def test_numbers_that_json_lacks_are_null(client: Callable) -> None:
    response = client().post("/run", content=json.dumps({"inputs": np.full((1, 1, 8, 8), np.nan).tolist()}))
    assert response.json() == {"outputs": {"output": [[None] * 3]}}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def large_png(side: int) -> bytes:
    """A PNG whose header states `side` pixels a side; its data are a few bytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/classify", b"", 400, "not a readable image"),
        ("/classify", b"no image", 400, "not a readable image"),
        ("/classify", png()[:-30], 400, "not a readable image"),
        ("/classify", npy(np.zeros((2, 1, 8, 8), np.float32))[:-9], 400, r"not a readable \.npy file"),
        ("/classify", npy(np.zeros((1, 4, 4), np.float32)), 400, "array does not fit the network"),
        ("/classify", npy(np.array([{}], dtype=object)), 400, r"not a readable \.npy file"),
        ("/classify", npy(np.zeros((0, 1, 8, 8), np.float32)), 400, "no samples"),
        ("/classify?top=0", png(), 400, "top is not a positive integer"),
        ("/classify?top=x", png(), 400, "top is not a positive integer"),
        ("/classify", large_png(6_000), 413, "more than 25,000,000 pixels"),
        ("/classify", large_png(60_000), 413, "more than 25,000,000 pixels"),
        ("/classify", npy(np.zeros((65, 1, 8, 8), np.float32)), 413, "65 samples in a request; 64 at most"),
        ("/run", b"[", 400, "not a JSON document"),
        ("/run", b"[" * 100_000, 400, "not a JSON document"),
        ("/run", b"[]", 400, "not a JSON document"),
        ("/run", b'{"inputs": []}', 400, "wrong shape"),
        ("/run", b'{"inputs": {"x": [1]}}', 400, "other names"),
        ("/run", b'{"inputs": [[1], 2]}', 400, "not an array"),
        ("/run", b'{"inputs": "text"}', 400, "not made of real numbers"),
    ],
)
def test_what_is_refused_says_why(client: Callable, path: str, body: bytes, status: int, message: str) -> None:
    response = client().post(path, content=body)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert re.search(message, response.json()["error"])


def test_long_bodies_are_refused_whether_or_not_they_say_their_length(client: Callable) -> None:
    service = client(body_bytes=1000)
    assert service.post("/run", content=bytes(1001)).status_code == 413
    assert service.post("/run", content=iter([bytes(600)] * 3)).status_code == 413
    assert service.post("/run", content=bytes(1000)).status_code == 400


def test_too_many_requests_at_a_time(client: Callable) -> None:
    response = client(requests=0).post("/classify", content=png())
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_methods_and_paths_that_are_not_there(client: Callable) -> None:
    service = client()
    assert service.get("/classify").status_code == 405
    assert service.get("/nothing").json() == {"error": "Not Found"}


def test_health_figures_and_description(client: Callable) -> None:
    service = client()
    service.post("/classify", content=png())
    service.post("/classify", content=b"")
    health = service.get("/health").json()
    assert (health["status"], health["model"]) == ("ok", "small.dcz")
    figures = service.get("/metrics").text
    for line in (
        'dcz_requests_total{path="/classify",status="200"} 1.0',
        'dcz_requests_total{path="/classify",status="400"} 1.0',
        "dcz_batch_samples_count 1.0",
        "dcz_requests_in_flight 0.0",
    ):
        assert line in figures
    description = service.get("/openapi.json").json()
    assert sorted(description["paths"]) == ["/classify", "/health", "/metrics", "/run"]
    assert "shape (1, 8, 8)" in json.dumps(description["paths"]["/run"]["post"]["requestBody"])


def test_a_page_to_drop_an_image_on(client: Callable) -> None:
    service = client()
    page, script = service.get("/"), service.get("/page.js")
    assert page.headers["content-type"].startswith("text/html")
    assert 'src="page.js"' in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert 'fetch("classify"' in script.text
