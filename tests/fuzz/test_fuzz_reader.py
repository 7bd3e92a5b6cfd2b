"""A short run of the fuzzer, and what it is made of. The long run is one command: see docs/security.md."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import fuzz_reader
import pytest
from fuzz_structure import Parts, changed, changed_bytes

from dcz.dcformat.encoding.table import Encoding


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return fuzz_reader.seeds()


def encodings(data: bytes) -> set[str]:
    parts = Parts.of(data)
    return {row[2] if len(row) > 2 else "raw" for row in parts.manifest["tensors"]} if parts else set()


def test_the_seeds_have_every_encoding(files: list[bytes]) -> None:
    assert set().union(*map(encodings, files)) >= {encoding.value for encoding in Encoding}
    assert any(fuzz_reader.execute(file) == "refused" for file in files)


def test_files_are_read_and_refused_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = fuzz_reader.run(60, seed=3, most=1200)
    assert record.executions == 1200
    assert record.outcomes["read"] > 50  # changes that go deep leave some files valid
    assert record.outcomes["refused"] > 400
    assert 0 < record.longest <= fuzz_reader.SLOW_SECONDS
    assert 0 < record.start_mib <= record.peak_mib
    assert str(record).startswith("1,200 executions")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_is_kept_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    count = len(fuzz_reader.seeds())
    calls = itertools.count()

    def execute(data: bytes) -> str:
        if next(calls) == count + 7:
            raise IndexError("outside")
        return "read"

    monkeypatch.setattr(fuzz_reader, "execute", execute)
    with pytest.raises(IndexError, match="outside"):
        fuzz_reader.run(60, seed=4)
    (fault,) = tmp_path.glob("fault-4-*.dcz")
    assert fault.stat().st_size


def test_an_execution_that_compiles_is_timed_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    taken = iter([2.0, 0.1, *[0.0] * 9])
    monkeypatch.setattr(fuzz_reader, "timed", lambda data: ("read", next(taken)))
    assert fuzz_reader.run(60, seed=5, most=3).longest == 0.1
    monkeypatch.setattr(fuzz_reader, "timed", lambda data: ("read", 2.0))
    with pytest.raises(fuzz_reader.FuzzError, match=r"2.0 seconds"):
        fuzz_reader.run(60, seed=6)


def test_a_file_put_together_again_is_the_same_network(files: list[bytes]) -> None:
    for file in files:
        parts = Parts.of(file)
        if parts is not None and fuzz_reader.execute(file) == "read":
            again = Parts.of(parts.together())
            assert again == parts
            assert fuzz_reader.execute(parts.together()) == "read"


def test_changes_follow_the_seed(files: list[bytes]) -> None:
    first, second = ([changed(file, random.Random(7), files) for file in files] for _ in range(2))
    assert first == second
    assert sum(one != file for one, file in zip(first, files, strict=True)) > len(files) * 0.8
    assert changed_bytes(b"", random.Random(0))
