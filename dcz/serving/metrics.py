"""Figures of the service, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
SAMPLES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters and histograms of one service.

    Attributes
    ----------
    in_flight : int
        Requests that are being answered.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("dcz_requests", "Requests.", ("path", "status"), registry=self._registry)
        self._seconds = Histogram(
            "dcz_request_seconds", "Time of requests.", ("path",), buckets=SECONDS, registry=self._registry
        )
        self._samples = Histogram("dcz_batch_samples", "Samples of a batch.", buckets=SAMPLES, registry=self._registry)
        Gauge("dcz_requests_in_flight", "Requests being answered.", registry=self._registry).set_function(
            lambda: self.in_flight
        )
        self.in_flight = 0

    @contextmanager
    def request(self, path: str) -> Iterator[list[int]]:
        """Count a request for the context. Put its status into the list."""
        status: list[int] = []
        start = time.perf_counter()
        self.in_flight += 1
        try:
            yield status
        finally:
            self.in_flight -= 1
            self._seconds.labels(path).observe(time.perf_counter() - start)
            self._requests.labels(path, status[0] if status else 500).inc()

    def batch(self, samples: int) -> None:
        """Count a batch."""
        self._samples.observe(samples)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)
