"""Codecs of containers: bytes of the same weights, and processor time to decode them, interleaved.

The networks are those of the models folder, AlexNet at the paper's densities and, with ``--squeezenet``, the file that
S. Han published. To decode a network is to parse and decode every tensor of an open container on one thread. Beside the
codecs runs the decoder of nncodec, if that is installed: on the weights alone, from streams that are in memory.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from dcz.core.timing import clock_of, milliseconds

from ..interleaved import time_interleaved
from ..networks import untrained
from ..peers import CODERS, MissingToolError
from ..peers.size_nnc import decoded, encoded, load_coder, numbered
from ..suite import Benchmark, Options, Row, Table

GENERATED = ("alexnet",)
"""Networks of `weights` that are measured too."""
NNC = "nncodec"


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    paths = sorted(options.models.glob("*.dcz")) + ([options.squeezenet] if options.squeezenet else [])
    generated = [name for name in GENERATED if name in options.networks]
    return {
        **{path.stem: partial(measure, path, options) for path in paths},
        **{name: lambda name=name: measure(untrained(name, options).path, options) for name in generated},
    }


def measure(path: Path, options: Options) -> list[Row]:
    """Convert a model with each codec, compare the weights, and decode the files by turns; a row a codec."""
    import dcz
    from dcz.dcformat.encoding.table import CODECS

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {codec: Path(folder) / f"{codec}.dcz" for codec in CODECS}
        reports = {codec: dcz.convert(path, file, codec=codec) for codec, file in files.items()}
        containers = {codec: stack.enter_context(dcz.open(file)) for codec, file in files.items()}
        first = next(iter(containers.values()))
        decoders: dict[str, Callable[[], object]] = {c: partial(decode, one) for c, one in containers.items()}
        common = {"network": path.stem}
        rows: list[Row] = []
        for codec, container in containers.items():
            different = [n for n in first.entries if first.tensor(n).tobytes() != container.tensor(n).tobytes()]
            nbytes, seconds = files[codec].stat().st_size, round(reports[codec].seconds["encode"], 3)
            problems = [f"{name} differs between codecs" for name in different]
            rows.append({**common, "codec": codec, "bytes": nbytes, "seconds_encode": seconds, "problems": problems})
        try:
            row, decoders[NNC] = nnc(first, coder_in(options.peers))
            rows.append({**common, "codec": NNC, **row})
        except MissingToolError as reason:
            rows.append({**common, "engine": NNC, "not_run": str(reason)})
        clocks = {name: clock_of(decoder, time.process_time) for name, decoder in decoders.items()}
        for name, spent in time_interleaved(clocks, options.seconds).seconds.items():
            row = next(row for row in rows if row.get("codec") == name)
            row |= {f"decode_{key}": value for key, value in milliseconds(spent).items()}
    return rows


def decode(container: object) -> None:
    """Decode every tensor, each section parsed anew."""
    import dcz

    assert isinstance(container, dcz.Container)
    for name in [*container.entries][::-1]:  # backwards, so that no section is the one that was parsed last
        container.decode(name)


def coder_in(environments: Path) -> Any:
    """Load the coder of nncodec from its environment into this process.

    Raises
    ------
    MissingToolError
        It is not installed.
    """
    tool = CODERS["nnc"]
    tool.command(environments)
    (package,) = tool.python(environments).parent.parent.glob("lib/python*/site-packages/nncodec")
    return load_coder(package)


def nnc(container: Any, coder: Any) -> tuple[Row, Callable[[], object]]:
    """What nncodec makes of the weights of a container, with fp32 centroids; and a function that decodes all."""
    start = time.perf_counter()
    streams, nbytes, problems = [], 0, []
    for name, entry in container.entries.items():
        if len(entry.shape) < 2 or entry.dtype != "F32":
            continue
        numbers, centroids = numbered(container.tensor(name))
        stream = encoded(coder, numbers)
        if (decoded(coder, stream, numbers.shape) != numbers).any():
            problems.append(f"{name} differs with nncodec")
        nbytes += len(stream) + 4 * centroids
        streams.append((stream, numbers.shape))
    row = {"bytes": nbytes, "seconds_encode": round(time.perf_counter() - start, 3), "problems": problems}
    return row, lambda: [decoded(coder, stream, shape) for stream, shape in streams]


def tables(rows: list[Row]) -> list[Table]:
    timed = ("decode ms", "first decile", "last decile", "of huffman", "of nncodec")
    header = ("network", "codec", "bytes", "encode s", *timed)
    keys = ("bytes", "seconds_encode", "decode_median_ms", "decode_p10_ms", "decode_p90_ms")
    measured = {(row["network"], row["codec"]): row for row in rows if "codec" in row}
    body = []
    for (network, codec), row in measured.items():
        others = (measured.get((network, other)) for other in ("huffman", NNC))
        ratios = (row["decode_median_ms"] / other["decode_median_ms"] if other else "" for other in others)
        body.append((network, codec, *(row[key] for key in keys), *ratios))
    return [Table("Codecs: bytes, and processor time to decode all tensors", header, body, 2)]


BENCHMARK = Benchmark("codecs", "What does each codec take in bytes and in time?", cases, tables)
