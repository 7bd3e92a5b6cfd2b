"""Names of tensors that go on from the one before."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from containers import deflate
from hostile import refused
from hypothesis import given
from hypothesis import strategies as st

from dcz.dcformat import Dense, encode, write
from dcz.dcformat import open as open_container
from dcz.dcformat.container.layout import pack_header
from dcz.dcformat.container.manifest import DICTIONARY
from dcz.dcformat.container.names import MAX_CONTINUED, expand, shorten
from dcz.dcformat.encoding.table import Encoding

NAMES = ["a.b.weight", "a.b.bias", "a.c.bias", "weight", "bias", ".x", "..x", "..y", "", ".", "a.", "a..b", "a..c"]


def expanded(written: list[str]) -> list[str]:
    names: list[str] = []
    for text in written:
        names.append(expand(text, names[-1] if names else ""))
    return names


def test_a_name_is_written_without_what_the_one_before_has() -> None:
    written = shorten(NAMES, continue_=True)
    assert written[:6] == ["a.b.weight", ".bias", "a.c.bias", "weight", "bias", "..x"]
    assert written[-1] == ".c"
    assert expanded(written) == NAMES
    assert shorten(NAMES[:5], continue_=False) == NAMES[:5]


@given(st.lists(st.text("ab.", max_size=7)), st.booleans())
def test_names_come_back(names: list[str], continue_: bool) -> None:
    assert expanded(shorten(names, continue_=continue_)) == names


def test_long_names_are_written_whole() -> None:
    fits, long = "a" * (MAX_CONTINUED - 2), "a" * (MAX_CONTINUED - 1)
    assert shorten([f"{fits}.x", f"{fits}.y"], continue_=True)[1] == ".y"
    assert shorten([f"{long}.x", f"{long}.y"], continue_=True)[1] == f"{long}.y"


def manifest_of(data: bytes) -> list[str]:
    length = int.from_bytes(data[12:16], "little")
    manifest = json.loads(zlib.decompressobj(-15, DICTIONARY).decompress(data[20 : 20 + length]))
    return [row[0] for row in manifest["tensors"]]


@pytest.mark.parametrize("among", [{Encoding.RAW}, {Encoding.ADAPTIVE}])
def test_files_of_the_first_version_have_whole_names(among: set[Encoding]) -> None:
    file = io.BytesIO()
    weights = Dense(np.zeros(200, np.float32), "F32")
    write(file, None, {name: encode(name, weights, among) for name in NAMES})
    assert (manifest_of(file.getvalue()) == NAMES) is (among == {Encoding.RAW})
    with open_container(io.BytesIO(file.getvalue())) as container:
        assert list(container.entries) == NAMES
        assert container.format_version == ("1.0" if among == {Encoding.RAW} else "1.1")


def with_names(*names: str, minor: int = 1) -> bytes:
    manifest = {"tensors": [[name, [0]] for name in names], "sections": [[0, 0, len(names)]]}
    return pack_header(deflate(json.dumps(manifest).encode(), DICTIONARY), minor)


def test_the_version_tells_what_a_dot_means(tmp_path: Path) -> None:
    for minor, found in ((0, ["a.b", ".c", "..d"]), (1, ["a.b", "a.c", ".d"]), (2, ["a.b", "a.c", ".d"])):
        with open_container(with_names("a.b", ".c", "..d", minor=minor)) as container:
            assert list(container.entries) == found


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([".b"], "cannot go on from the one before"),
        (["a", ".b"], "cannot go on from the one before"),
        (["..a", ".b"], "cannot go on from the one before"),
        (["a" * 300 + ".b", ".c"], "cannot go on from the one before"),
        (["a.b", ".b"], "two tensors have the same name"),
    ],
)
def test_a_name_that_goes_on_from_nothing_is_refused(names: list[str], message: str) -> None:
    assert message in str(refused(with_names(*names)))
