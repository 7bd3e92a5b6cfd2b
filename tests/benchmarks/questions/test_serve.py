"""The service under load: what is sent to it, and what counts as a fault."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.questions import serve

pytest.importorskip("uvicorn")


def test_a_service_refuses_every_bad_upload_and_answers_a_good_one(small_container: Path) -> None:
    written = io.BytesIO()
    Image.new("L", (8, 8)).save(written, "PNG")
    with serve.running(small_container, 1) as port:
        statuses = {kind: serve.status(port, *upload) for kind, upload in serve.bad_uploads(written.getvalue()).items()}
        assert serve.status(port, "/classify", written.getvalue()) == 200
    too_large = {"an image of 900 million pixels", "a body of 17 MiB"}
    assert statuses == {kind: 413 if kind in too_large else 404 if kind == "another path" else 400 for kind in statuses}


def test_errors_and_accepted_uploads_are_problems() -> None:
    row = {"network": "N", "errors": 0, "bad_uploads": {"text": 400, "nothing": 413}}
    assert serve.problems(row) == []
    assert serve.problems({**row, "errors": 2}) == ["N: 2 errors"]
    assert serve.problems({**row, "bad_uploads": {"text": 200, "nothing": 500}}) == [
        "N: text: status 200",
        "N: nothing: status 500",
    ]
