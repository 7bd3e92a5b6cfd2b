"""A container with compiled programs, for several tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import dcz
from dcz.aot.programs import check_programs, keep_programs
from dcz.core.readahead import Content
from dcz.dcformat import Graph, InputError, make_node, write
from dcz.runtime.network import Network


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A container of a network without weights, and a folder for `NUMBA_CACHE_DIR` with its programs."""
    try:
        check_programs()
    except InputError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("programs")
    path = folder / "relu.dcz"
    write(path, Graph((40,), (make_node("relu", (0,)),), 1), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(folder / "cache"))
        content = Content(path)
        keep_programs(content, Network(dcz.open(content)), threads=1)
    return path, folder / "cache"


@pytest.fixture
def network(made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The container, with a copy of its programs in place."""
    shutil.copytree(made[1], tmp_path / "cache")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return made[0]
