"""Writing: never half a file, never one that the reader refuses."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcz.dcformat import (
    Dense,
    FormatError,
    Graph,
    encode,
    make_node,
    write,
)
from dcz.dcformat import open as open_container
from dcz.dcformat.constants import FREE_ELEMENTS, MAX_RANK


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "model.dcz"
    write(target, None, {"old": np.ones(3)})
    before = target.read_bytes()

    def fail(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(OSError, match="No space left"):
            write(target, None, {"new": np.zeros(3)})
    assert os.listdir(tmp_path) == ["model.dcz"]
    assert target.read_bytes() == before
    write(target, None, {"new": np.zeros(3)})
    assert os.listdir(tmp_path) == ["model.dcz"]
    with open_container(target) as container:
        assert list(container.entries) == ["new"]


def test_a_reader_of_the_old_file_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "model.dcz"
    write(target, None, {"a": np.arange(5)})
    with open_container(target) as container:
        write(target, None, {"b": np.arange(9)})
        assert container.tensor("a").tolist() == [0, 1, 2, 3, 4]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are posix's")
def test_the_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    write(tmp_path / "model.dcz", None, {})
    (tmp_path / "other").touch()
    assert (tmp_path / "model.dcz").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_an_open_file_will_do(tmp_path: Path) -> None:
    stream = io.BytesIO()
    write(stream, None, {"a": np.arange(5)})
    write(tmp_path / "a.dcz", None, {"a": np.arange(5)})
    assert stream.getvalue() == (tmp_path / "a.dcz").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tensors": {"t": np.zeros(2, np.complex64)}}, "tensor 't': numpy type complex64 cannot be stored"),
        ({"tensors": {"t": np.zeros((1,) * (MAX_RANK + 1))}}, "too many axes"),
        ({"tensors": {"t": Dense(np.zeros(2), "F32")}}, "numpy type float64 is not F32"),
        ({"tensors": {"t": Dense(np.zeros(2), "F128")}}, "numpy type float64 is not F128"),
        ({"tensors": {"\ud800": np.zeros(2)}}, "not valid Unicode"),
        ({"tensors": {}, "labels": ["\ud800"]}, "not valid Unicode"),
        ({"tensors": {}, "labels": ["a", 1]}, "labels must be a list of texts"),
        ({"tensors": {}, "metadata": {"a": 1}}, "metadata must be text"),
        ({"tensors": {}, "graph": Graph((0,), (), 0)}, "bad input shape"),
        ({"tensors": {}, "graph": Graph((2,), (make_node("relu", (1,)),), 1)}, "not made yet"),
        ({"tensors": {}, "graph": Graph((2,), (make_node("linear", (0,), {"weight": "w"}),), 1)}, "'w' is missing"),
    ],
)
def test_what_cannot_be_read_is_not_written(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        write(tmp_path / "x.dcz", **{"graph": None, **arguments})
    assert os.listdir(tmp_path) == []


def test_more_zeros_than_a_small_file_may_stand_for_are_stored_plainly(tmp_path: Path) -> None:
    tensors = {
        "few": np.zeros(FREE_ELEMENTS // 4, np.float32),
        "many": np.zeros(FREE_ELEMENTS, np.float32),
        "one": np.ones(1, np.float32),
    }
    write(tmp_path / "zeros.dcz", None, tensors)
    with open_container(tmp_path / "zeros.dcz") as container:
        assert container.verify() == []
        assert {name: e.encoding for name, e in container.entries.items()} == {
            "few": "sparse_shared",
            "many": "raw",
            "one": "raw",
        }
        assert all(np.array_equal(container.tensor(name), tensor) for name, tensor in tensors.items())


def test_tensors_may_be_encoded_one_by_one(tmp_path: Path) -> None:
    tensors = {"a": np.arange(5), "half": np.float16([[0, 1], [0, 0]]), "zeros": np.zeros(FREE_ELEMENTS, np.float32)}
    write(tmp_path / "at-once.dcz", None, tensors)
    write(tmp_path / "one-by-one.dcz", None, {name: encode(name, tensor) for name, tensor in tensors.items()})
    assert (tmp_path / "one-by-one.dcz").read_bytes() == (tmp_path / "at-once.dcz").read_bytes()
    with pytest.raises(FormatError, match="tensor 't': numpy type complex64"):
        encode("t", np.zeros(2, np.complex64))
