"""A container elsewhere: the manifest, or one tensor, without the rest."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from codec_cases import sparse_array

from dcz.core.errors import InputError
from dcz.dcformat import FormatError, Graph, make_node, write
from dcz.dcformat import open as open_container


class Counting(io.BytesIO):
    """A file that counts the bytes that are read of it."""

    taken = 0

    def read(self, count: int | None = -1) -> bytes:
        data = super().read(count)
        self.taken += len(data)
        return data


class ByRanges:
    """The least that a source by ranges may be."""

    def __init__(self, data: bytes) -> None:
        self.data, self.taken = data, 0

    def __len__(self) -> int:
        return len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        part = self.data[offset : offset + count]
        self.taken += len(part)
        return part


@pytest.fixture(scope="module")
def data() -> bytes:
    rng = np.random.default_rng(0)
    tensors = {f"fc{i}.weight": sparse_array((200, 200), 0.3, 0, rng) for i in range(6)}
    nodes = tuple(make_node("linear", (i,), {"weight": name}) for i, name in enumerate(tensors))
    stream = io.BytesIO()
    write(stream, Graph((200,), nodes, 6), tensors | {"unused": np.arange(3)}, labels=["a"] * 200)
    return stream.getvalue()


@pytest.mark.parametrize("source", [Counting, ByRanges])
def test_the_manifest_alone_is_read(source: Callable[[bytes], Counting | ByRanges], data: bytes) -> None:
    file = source(data)
    with open_container(file, "net.dcz") as container:
        outline, manifest = container.outline(), container.manifest_bytes
    assert file.taken == manifest < 400
    with open_container(io.BytesIO(data)) as container:
        whole = container.info()
    assert set(outline) < set(whole)
    for key in set(outline) - {"tensors"}:
        assert outline[key] == whole[key]
    for row, full in zip(outline["tensors"], whole["tensors"], strict=True):
        assert row == {key: full[key] for key in ("name", "shape", "dtype", "encoding")}


@pytest.mark.parametrize("source", [Counting, ByRanges])
def test_one_tensor_is_read_without_the_others(source: Callable[[bytes], Counting | ByRanges], data: bytes) -> None:
    file = source(data)
    with open_container(file, "net.dcz") as container, open_container(io.BytesIO(data)) as whole:
        assert container.tensor("fc4.weight").tobytes() == whole.tensor("fc4.weight").tobytes()
        section = container.manifest.sections[4]
        assert section.tensors == 1
        assert file.taken == container.manifest_bytes + section.nbytes
        assert container.labels == ["a"] * 200
        assert file.taken < len(data) / 4


def test_an_address_is_read_through_fsspec(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/some/net.dcz", data)
    requests = []
    plain = type(memory).cat_file
    monkeypatch.setattr(
        type(memory),
        "cat_file",
        lambda self, path, start, end: (requests.append(end - start), plain(self, path, start, end))[1],
    )
    with open_container("memory://some/net.dcz") as container:
        assert container.path == "memory://some/net.dcz"
        assert requests == [20, container.manifest_bytes - 20]
        assert container.verify() == []
    memory.pipe_file("/some/cut.dcz", data[:-1])
    with pytest.raises(FormatError, match=r"memory://some/cut\.dcz: .*cut short"):
        open_container("memory://some/cut.dcz")
    with pytest.raises(FileNotFoundError):
        open_container("memory://some/none.dcz")
    with pytest.raises(InputError, match="unknown kind"):
        open_container("nowhere://some/net.dcz")


def test_without_fsspec_an_address_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match="pip install fsspec"):
        open_container("https://example.org/net.dcz")
