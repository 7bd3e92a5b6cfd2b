"""A reader starts without what only writing needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOAD = """
import sys, numpy as np, dcz
model = dcz.load(sys.argv[1], threads=1)
model(np.ones((1, *model.input_shape), np.float32))
with dcz.open(sys.argv[1]) as container:
    assert container.verify() == [] and container.info()["tensors"]
"""


def modules_after(code: str, *arguments: str) -> set[str]:
    code += "\nimport sys; print(*sys.modules)"
    command = [sys.executable, "-c", code, *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("code", ["import dcz.dcformat.container.reader", LOAD], ids=["import", "load"])
def test_reading_imports_no_writer(code: str) -> None:
    modules = modules_after(code, str(ROOT / "tests" / "vectors" / "tiny.dcz"))
    assert "dcz.dcformat.container.reader" in modules
    assert not {name for name in modules if name == "bitarray" or name.startswith("bitarray.")}
    assert "dcz.dcformat.container.writer" not in modules


def test_what_writes_is_imported_when_it_is_asked_for() -> None:
    modules = modules_after("from dcz.dcformat import write, encode, Encoded")
    assert "dcz.dcformat.container.writer" in modules
    with pytest.raises(AttributeError, match=r"module 'dcz\.dcformat' has no attribute 'wrote'"):
        __import__("dcz.dcformat").dcformat.wrote  # noqa: B018
