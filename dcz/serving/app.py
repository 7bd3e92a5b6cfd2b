"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import Any, TypeVar

from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..core.errors import InputError
from ..core.json_text import to_json
from ..runtime.model import Model
from . import bodies
from .batching import Arrays, Batcher
from .metrics import Metrics
from .openapi import JSON, describe

T = TypeVar("T")
Answerer = Callable[[Request], Awaitable[object]]

POLICY = "default-src 'self'; img-src blob:; style-src 'unsafe-inline'"
PAGE_FILES = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}


class Service:
    """A model that answers requests.

    Parameters
    ----------
    model : Model
    name : str
        The file's name.
    batch_size : int
        Samples after which a batch is full.
    delay : float
        Longest time in seconds that a sample waits for others.
    limits : Limits
    version : str
        That of dcz.
    """

    def __init__(
        self, model: Model, name: str, batch_size: int, delay: float, limits: bodies.Limits, version: str
    ) -> None:
        self._model = model
        self._facts = {"status": "ok", "model": name, "version": version}
        self._limits = limits
        self._metrics = Metrics()
        self._batcher = Batcher(self._run_model, batch_size, delay, self._metrics.batch)
        self._decoders = ThreadPoolExecutor(model.threads, "dcz-decode")
        self._description = _json(describe(model, name, version))

    @property
    def app(self) -> Starlette:
        """The ASGI application."""
        answered = {"/classify": self._classify, "/run": self._run}
        routes = [Route(path, partial(self._answer, answer), methods=["POST"]) for path, answer in answered.items()]
        routes += [
            Route("/health", self._health),
            Route("/metrics", self._figures),
            Route("/openapi.json", self._openapi),
            *(Route(path, partial(_page_file, *file)) for path, file in PAGE_FILES.items()),
        ]
        return Starlette(routes=routes, lifespan=self._running, exception_handlers={HTTPException: _refusal})

    @asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        async with self._batcher:
            yield
        self._decoders.shutdown()

    async def _answer(self, answer: Answerer, request: Request) -> Response:
        """Answer a request, unless too many are being answered."""
        if self._metrics.in_flight >= self._limits.requests:
            response = _error(429, f"{self._limits.requests} requests are being answered", {"Retry-After": "1"})
            with self._metrics.request(request.url.path) as status:
                status.append(429)
            return response
        with self._metrics.request(request.url.path) as status:
            try:
                response = _json(await answer(request))
            except InputError as error:
                response = _error(400, str(error))
            except HTTPException as error:
                response = _error(error.status_code, error.detail)
            status.append(response.status_code)
            return response

    async def _classify(self, request: Request) -> object:
        top = request.query_params.get("top", "5")
        if not top.isdecimal() or not 0 < int(top) < 1 << 31:
            raise InputError("top is not a positive integer", found=top)
        body = await bodies.read_body(request, self._limits.body_bytes)
        samples = await self._in_thread(bodies.images, body)
        outputs = await self._batcher({self._model.input_names[0]: samples})
        answers = self._model.rank(next(iter(outputs.values())), int(top))
        return {"predictions": [[prediction._asdict() for prediction in best] for best in answers]}

    async def _run(self, request: Request) -> object:
        body = await bodies.read_body(request, self._limits.body_bytes)
        outputs = await self._batcher(await self._in_thread(bodies.arrays, body))
        return {"outputs": {name: array.tolist() for name, array in outputs.items()}}

    async def _in_thread(self, decode: Callable[[bytes, Model, bodies.Limits], T], body: bytes) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, decode, body, self._model, self._limits)

    def _run_model(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        outputs = self._model(inputs)
        return outputs if isinstance(outputs, dict) else {self._model.output_names[0]: outputs}

    async def _health(self, _: Request) -> Response:
        return _json(self._facts)

    async def _figures(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def _openapi(self, _: Request) -> Response:
        return self._description


async def _page_file(name: str, kind: str, _: Request) -> Response:
    content = files(__package__).joinpath(name).read_bytes()
    return Response(content, media_type=kind, headers={"Content-Security-Policy": POLICY})


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail, error.headers)


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json({"error": message}, indent=None), status, headers, JSON)


def _json(value: object) -> Response:
    return Response(to_json(value, indent=None), media_type=JSON)
