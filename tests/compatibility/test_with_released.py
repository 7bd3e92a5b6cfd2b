"""What is a fault between a released reader and this writer. `.ci/run` compares with the released code itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def compatibility() -> ModuleType:
    spec = importlib.util.spec_from_file_location("with_released", Path(__file__).parent / "with_released.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NAMED = {
    "error": "UnsupportedVersionError",
    "message": "tensor 't' has the unknown encoding 'x'; a newer dcz may know it",
}
READ: dict[str, Any] = {"tensors": {"t": "00"}, "problems": []}


@pytest.mark.parametrize(
    ("outcome", "version", "sound"),
    [
        (READ, (1, 0), True),
        (READ, (1, 1), True),
        (NAMED, (1, 1), True),
        (NAMED, (1, 0), False),
        ({"error": "UnsupportedVersionError", "message": "no"}, (1, 1), False),
        ({"error": "IndexError", "message": NAMED["message"]}, (1, 1), False),
        ({"tensors": {"t": "01"}, "problems": []}, (1, 1), False),
        ({"tensors": {}, "problems": []}, (1, 0), False),
        ({"tensors": {"t": "00"}, "problems": ["checksum"]}, (1, 0), False),
    ],
)
def test_a_file_is_read_as_it_is_or_refused_by_name(
    compatibility: ModuleType, outcome: dict[str, Any], version: tuple[int, int], sound: bool
) -> None:
    assert (compatibility.problems_of("f.dcz", outcome, version, READ["tensors"]) == []) == sound
