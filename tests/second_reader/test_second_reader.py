"""The second reader agrees with the first on every vector and every model of the repository."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from second_reader import File, read

import dcz.dcformat as fmt

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "tests" / "vectors"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())
MODELS = sorted((ROOT / "models").glob("*.dcz"))
DECODED_BYTES = 60_000
"""About the payload bytes of a model that are decoded: the second reader is slow."""


def operators() -> set[str]:
    """Operators of the table in docs/format.md."""
    page = (ROOT / "docs" / "format.md").read_text()
    table = page[page.index("| op | tensors |") : page.index("## 7. Preprocessing")]
    return {
        name
        for line in table.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
    }


def opened(path: Path) -> File:
    return read(path.read_bytes(), operators())


FILES = {"second_reader.py", "second_payloads.py", "second_models.py", "second_parts.py"}


def without_docstrings(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return module


def lines_of_code(name: str) -> int:
    text = ast.unparse(without_docstrings(ast.parse((HERE / name).read_text())))
    return sum(bool(line.strip()) for line in text.splitlines())


def test_it_is_small() -> None:
    assert {path.name for path in HERE.glob("second_*.py")} == FILES
    assert sum(map(lines_of_code, FILES)) <= 400


@pytest.mark.parametrize("name", sorted(FILES))
def test_it_uses_the_standard_library_and_numpy_alone(name: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((HERE / name).read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {one.name.split(".")[0] for one in node.names}
    ours = {path.removesuffix(".py") for path in FILES - {"second_reader.py"}}
    assert imported <= {"numpy"} | ours | sys.stdlib_module_names


@pytest.mark.parametrize("name", EXPECTED["valid"])
def test_valid_vectors(name: str) -> None:
    expected, file = EXPECTED["valid"][name], opened(FOLDER / name)
    assert file.labels == expected["labels"]
    assert nodes(file) == expected["nodes"]
    assert tied(file) == expected.get("tied", {})
    assert quantization(file) == expected.get("quantization")
    assert list(file.tensors) == list(expected["tensors"])
    for key, tensor in expected["tensors"].items():
        found = file.tensors[key]
        assert (found.dtype, list(found.shape), found.encoding) == (
            tensor["dtype"],
            tensor["shape"],
            tensor["encoding"],
        )
        content = found.elements().tobytes()
        assert tensor.get("hex", content.hex()) == content.hex()
        assert tensor.get("sha256", digest := hashlib.sha256(content).hexdigest()) == digest


def nodes(file: File) -> list[str] | None:
    return [row[0] for row in file.manifest["graph"]["nodes"]] if "graph" in file.manifest else None


def tied(file: File) -> dict[str, str]:
    names = list(file.tensors)
    return {name: names[i] for name, i in file.manifest.get("tied", {}).items()}


def quantization(file: File) -> dict[str, Any] | None:
    """Ranges, scales and corrections as `expected.json` has them: the numbers as fp32."""
    held, names = file.manifest.get("quantization"), list(file.tensors)
    return held and {
        "values": {str(value): [float(np.float32(scale)), zero] for value, scale, zero in held["values"]},
        "weights": {names[i]: fp32(scales) for i, scales in held["weights"]},
        "corrections": {str(value): fp32(numbers) for value, numbers in held.get("corrections", [])},
    }


def fp32(numbers: list[float]) -> str:
    return np.array(numbers, "<f4").tobytes().hex()


def decode_all(path: Path) -> None:
    for tensor in opened(path).tensors.values():
        tensor.elements()


@pytest.mark.parametrize("name", EXPECTED["broken"])
def test_broken_vectors(name: str) -> None:
    with pytest.raises((AssertionError, LookupError, ValueError, OverflowError)):
        decode_all(FOLDER / name)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_models(path: Path) -> None:
    file = opened(path)
    with fmt.open(path) as container:
        assert file.version == tuple(map(int, container.format_version.split(".")))
        assert file.labels == container.labels
        assert file.manifest.get("metadata", {}) == container.metadata
        assert nodes(file) == [node.op for node in container.graph.nodes]
        assert list(file.tensors) == list(container.entries)
        decoded = 0
        for name, tensor in file.tensors.items():
            if decoded + tensor.nbytes <= DECODED_BYTES:
                decoded += tensor.nbytes
                assert tensor.elements().tobytes() == container.tensor(name).tobytes(), name
        assert decoded > min(path.stat().st_size // 3, DECODED_BYTES // 3)
