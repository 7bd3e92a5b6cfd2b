"""Every file under tests/vectors gives what expected.json says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from make_vectors import digests, quantization_of

import dcz.dcformat as fmt
from dcz.dcformat.container.reader import payload_of

FOLDER = Path(__file__).parent / "vectors"
FROZEN: dict[str, str] = json.loads((FOLDER / "frozen.json").read_text())
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())


def test_the_corpus_is_whole() -> None:
    listed = set(EXPECTED["valid"]) | set(EXPECTED["broken"])
    assert {path.name for path in FOLDER.glob("*.dcz")} == listed
    assert len(EXPECTED["valid"]) >= 5
    assert len(EXPECTED["broken"]) >= 20
    assert {op for file in EXPECTED["valid"].values() for op in file["nodes"] or ()} == set(fmt.OPS)


@pytest.mark.parametrize("name", EXPECTED["valid"])
def test_valid_file(name: str) -> None:
    expected = EXPECTED["valid"][name]
    with fmt.open(FOLDER / name) as container:
        assert container.verify() == []
        assert container.labels == expected["labels"]
        nodes = [node.op for node in container.graph.nodes] if container.graph else None
        assert nodes == expected["nodes"]
        assert list(container.entries) == list(expected["tensors"])
        assert container.tied == expected.get("tied", {})
        quantization = container.graph.quantization if container.graph else None
        assert (quantization_of(quantization) if quantization else None) == expected.get("quantization")
        assert all(payload_of(container, key) is payload_of(container, name) for key, name in container.tied.items())
        for key, tensor in expected["tensors"].items():
            entry, array = container.entries[key], container.tensor(key)
            assert (entry.dtype, list(entry.shape), entry.encoding) == (
                tensor["dtype"],
                tensor["shape"],
                tensor["encoding"],
            )
            assert list(array.shape) == tensor["shape"]
            content = array.tobytes()
            if "hex" in tensor:
                assert content.hex() == tensor["hex"]
            else:
                assert hashlib.sha256(content).hexdigest() == tensor["sha256"]


def test_frozen_files_stay_as_they_are() -> None:
    """What a released version of the format reads, every later one reads, to the same content."""
    found = digests(FOLDER)
    assert {name: found.get(name) for name in FROZEN} == FROZEN
    assert len(FROZEN) >= 60


def decode_all(path: Path) -> None:
    with fmt.open(path) as container:
        for key in container.entries:
            container.decode(key)


@pytest.mark.parametrize("name", EXPECTED["broken"])
def test_broken_file(name: str) -> None:
    expected = EXPECTED["broken"][name]
    kind = getattr(fmt, expected["error"])
    with pytest.raises(kind) as caught:
        decode_all(FOLDER / name)
    assert expected["message"] in str(caught.value)
    assert str(FOLDER / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def body_of(path: Path) -> bytes:
    """All payloads, and the labels."""
    data = path.read_bytes()
    return data[20 + int.from_bytes(data[12:16], "little") :]


def test_writer_gives_the_stored_bytes(tmp_path: Path) -> None:
    """Decoded and written again in its encodings, a vector is the same file but for sections and the DEFLATE stream."""
    for name in EXPECTED["valid"]:
        with fmt.open(FOLDER / name) as old:
            among = {entry.encoding for entry in old.entries.values()}
            tensors = {
                key: fmt.encode(key, fmt.Dense(old.tensor(key), entry.dtype), among)
                for key, entry in old.entries.items()
            }
            described = {"preprocess": old.preprocess, "labels": old.labels, "metadata": old.metadata}
            fmt.write(tmp_path / name, old.graph, tensors, **described, tied=old.tied)
            with fmt.open(tmp_path / name) as new:
                assert replace(new.manifest, sections=()) == replace(old.manifest, sections=())
                assert body_of(tmp_path / name) == body_of(FOLDER / name)
