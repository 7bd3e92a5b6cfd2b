"""Codecs of containers: bytes of the same weights, and processor time to decode them, interleaved.

The networks are those of the models folder and, with ``--squeezenet``, the file that S. Han published. To decode a
network is to parse and decode every tensor of an open container on one thread.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from dcz.core.timing import clock_of, milliseconds

from .interleaved import time_interleaved
from .suite import Benchmark, Options, Row, Table


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    paths = sorted(options.models.glob("*.dcz")) + ([options.squeezenet] if options.squeezenet else [])
    return {path.stem: partial(measure, path, options.seconds) for path in paths}


def measure(path: Path, seconds: float) -> list[Row]:
    """Convert a model with each codec, compare the weights, and decode the files by turns; a row a codec."""
    import dcz
    from dcz.dcformat.encoding.table import CODECS

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {codec: Path(folder) / f"{codec}.dcz" for codec in CODECS}
        reports = {codec: dcz.convert(path, file, codec=codec) for codec, file in files.items()}
        containers = {codec: stack.enter_context(dcz.open(file)) for codec, file in files.items()}
        decoders = {codec: partial(decode, container) for codec, container in containers.items()}
        clocks = {codec: clock_of(decoder, time.process_time) for codec, decoder in decoders.items()}
        times = time_interleaved(clocks, seconds).seconds
        first = next(iter(containers.values()))
        rows = []
        for codec, container in containers.items():
            different = [n for n in first.entries if first.tensor(n).tobytes() != container.tensor(n).tobytes()]
            rows.append(
                {
                    "network": path.stem,
                    "codec": codec,
                    "bytes": files[codec].stat().st_size,
                    "seconds_encode": round(reports[codec].seconds["encode"], 3),
                    **{f"decode_{key}": value for key, value in milliseconds(times[codec]).items()},
                    "problems": [f"{name} differs between codecs" for name in different],
                }
            )
        return rows


def decode(container: object) -> None:
    """Decode every tensor, each section parsed anew."""
    import dcz

    assert isinstance(container, dcz.Container)
    for name in [*container.entries][::-1]:  # backwards, so that no section is the one that was parsed last
        container.decode(name)


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "codec", "bytes", "encode s", "decode ms", "first decile", "last decile")
    keys = ("bytes", "seconds_encode", "decode_median_ms", "decode_p10_ms", "decode_p90_ms")
    body = [(row["network"], row["codec"], *(row[key] for key in keys)) for row in rows]
    return [Table("Codecs: bytes, and processor time to decode all tensors", header, body, 2)]


BENCHMARK = Benchmark("codecs", "What does each codec take in bytes and in time?", cases, tables)
