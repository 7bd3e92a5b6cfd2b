"""dcz serve under load: clients on loopback send an image, again as soon as they have the answer.

*loop*: one process that calls the model with the same image, one call after the other, decoding included. It runs
before and after the service, which has as many threads; the clients are a process of their own.
"""

from __future__ import annotations

import http.client
import io
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

import dcz

from ..networks import container
from ..suite import Benchmark, Options, Row, Table

CLIENTS = 16
LOOP_SECONDS = 5.0


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {name: partial(measure, name, options) for name in options.networks}


def measure(name: str, options: Options) -> list[Row]:
    """Load the service for the time of the options; a row."""
    network = container(name, options)
    model = dcz.load(network.path, threads=options.threads)
    body = _png(model.input_shape)
    loop(model, body, 1.0)  # the first call may compile kernels
    before = loop(model, body, LOOP_SECONDS)
    with running(network.path, options.threads) as port:
        loop_clients(port, body, 1.0)  # warm
        seconds = loop_clients(port, body, options.seconds)
        statuses = {kind: status(port, *upload) for kind, upload in bad_uploads(body).items()}
    after = loop(model, body, LOOP_SECONDS)
    errors = sum(one < 0 for one in seconds)
    good = sorted(one for one in seconds if one >= 0)
    alone, served = (before + after) / 2, len(good) / options.seconds
    row: Row = {"network": network.title, "weights": network.weights, "threads": options.threads, "clients": CLIENTS}
    row |= {"seconds": options.seconds, "requests": len(seconds), "errors": errors, "loop_per_s": alone}
    row |= {"per_s": served, "share": served / alone, "p50_ms": 1e3 * median(good)}
    row |= {"p99_ms": 1e3 * good[int(0.99 * (len(good) - 1))], "bad_uploads": statuses}
    return [row | {"problems": problems(row)}]


def problems(row: Row) -> list[str]:
    """Errors, and bad uploads whose status does not say that the client is to blame."""
    found = [f"{row['errors']} errors"] if row["errors"] else []
    found += [f"{kind}: status {status}" for kind, status in row["bad_uploads"].items() if status // 100 != 4]
    return [f"{row['network']}: {each}" for each in found]


def bad_uploads(png: bytes) -> dict[str, tuple[str, bytes]]:
    """Requests that a service must refuse, by what is wrong with them: path and body."""
    bomb = bytearray(png)
    bomb[16:24] = (30_000).to_bytes(4, "big") * 2  # width and height in the header, whose checksum follows
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    return {
        "nothing": ("/classify", b""),
        "text": ("/classify", b"not an image"),
        "half an image": ("/classify", png[: len(png) // 2]),
        "an image of 900 million pixels": ("/classify", bytes(bomb)),
        "a body of 17 MiB": ("/classify", bytes(17 << 20)),
        "broken JSON": ("/run", b'{"inputs": [1,'),
        "inputs of another shape": ("/run", b'{"inputs": [1, 2]}'),
        "another path": ("/none", png),
    }


def status(port: int, path: str, body: bytes) -> int:
    """Status of the answer to one request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        with suppress(ConnectionError):  # a service may answer and close before it has read a body that is too large
            connection.request("POST", path, body)
        return connection.getresponse().status


def loop(model: dcz.Model, body: bytes, seconds: float) -> float:
    """Calls a second of one process, which decodes the image each time."""
    end, calls = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        model.predict([Image.open(io.BytesIO(body))])
        calls += 1
    return calls / seconds


@contextmanager
def running(model: Path, threads: int) -> Iterator[int]:
    """``dcz serve`` in a process of its own: its port."""
    command = [sys.executable, "-m", "dcz", "serve", str(model), "--port", "0", "--threads", str(threads)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if "serving" in line)
            yield int(line.partition("127.0.0.1:")[2].partition(";")[0])
        finally:
            process.terminate()


def loop_clients(port: int, body: bytes, seconds: float) -> list[float]:
    """Seconds of each request of all clients, from a process of their own; -1 for an answer that is none."""
    command = [sys.executable, "-m", "benchmarks.questions.serve", str(port), str(seconds)]
    done = subprocess.run(command, input=body, capture_output=True, check=True)
    return [float(line) for line in done.stdout.split()]


def _client(port: int, body: bytes, seconds: float, _: int) -> list[float]:
    taken = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            connection.request("POST", "/classify", body)
            response = connection.getresponse()
            response.read()
            taken.append(time.perf_counter() - start if response.status == 200 else -1.0)
    return taken


def _png(shape: Sequence[int]) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape[1:], shape[0]), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels[..., 0] if shape[0] == 1 else pixels).save(written, "PNG")
    return written.getvalue()


def tables(rows: Sequence[Row]) -> list[Table]:
    header = (
        "network",
        "weights",
        "requests",
        "errors",
        "p50 ms",
        "p99 ms",
        "requests/s",
        "calls/s of a loop",
        "share",
        "bad uploads refused",
    )
    keys = ("network", "weights", "requests", "errors", "p50_ms", "p99_ms", "per_s", "loop_per_s")
    body = [(*(row[key] for key in keys), f"{row['share']:.2f}", _refused(row)) for row in rows]
    title = f"{CLIENTS} clients at saturation, beside one process that calls the model"
    return [Table(title, header, body, 2)]


def _refused(row: Row) -> str:
    statuses = row["bad_uploads"].values()
    return f"{sum(status // 100 == 4 for status in statuses)} of {len(statuses)}"


BENCHMARK = Benchmark("serve", "How many requests does dcz serve answer, and how soon?", cases, tables, "cli.md")

if __name__ == "__main__":
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    content = sys.stdin.buffer.read()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for taken in pool.map(partial(_client, port, content, seconds), range(CLIENTS)):
            print(*taken)
