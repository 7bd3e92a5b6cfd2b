"""A service of a small network, and a client that calls it in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client")
testclient = pytest.importorskip("starlette.testclient")

from dcz.runtime import Model, load  # noqa: E402
from dcz.serving.app import Service  # noqa: E402
from dcz.serving.bodies import Limits  # noqa: E402


@pytest.fixture(scope="session")
def model(small_container: Path) -> Model:
    return load(small_container, threads=1)


@pytest.fixture
def client(model: Model) -> Iterator[Callable]:
    """Start a service with some limits; gives its client."""
    with ExitStack() as running:

        def start(**limits: int) -> testclient.TestClient:
            service = Service(model, "small.dcz", 16, 0.001, Limits()._replace(**limits), "1.2")
            return running.enter_context(testclient.TestClient(service.app, raise_server_exceptions=False))

        yield start
