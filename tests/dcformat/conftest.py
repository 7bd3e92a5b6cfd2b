"""A complete container for all; and this folder's helper modules on the path, after everything that is installed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dcz.dcformat import Container
from dcz.dcformat import open as open_container

sys.path.append(str(Path(__file__).parent))

# The first call of a kernel may compile it, and machines are shared: no example has a deadline.
settings.register_profile("dcformat", deadline=None)
settings.load_profile("dcformat")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from containers import write_full

    return write_full(tmp_path_factory.mktemp("full") / "full.dcz")


@pytest.fixture
def full(path: Path) -> Iterator[Container]:
    with open_container(path) as container:
        yield container
