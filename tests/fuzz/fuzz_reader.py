"""Fuzz the reader: ``python tests/fuzz/fuzz_reader.py [--seconds S] [--seed N] [--atheris CORPUS]``.

Without ``--atheris``, files of the vectors and of each encoding are changed at random; run it with
``NUMBA_BOUNDSCHECK=1`` and a fresh ``NUMBA_CACHE_DIR``, so that compiled decoders find an index outside an array. With
it (``pip install atheris``), libFuzzer is guided by the coverage of the package, in Python alone
(``NUMBA_DISABLE_JIT=1``), and keeps what it finds in a folder.

An execution opens a file, verifies it, decodes each tensor whole and in pieces, and describes the file. All but
`FormatError` is a fault, and so is more than a second.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import resource
import sys
import time
import warnings
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import NoReturn

MODULES = ["dcz.dcformat"]
SLOW_SECONDS = 1.0
SLOW_IN_PYTHON = 60.0
MOST_ELEMENTS = 1 << 18
"""Tensors of more elements are not decoded: what they take is limited by the format, and tested elsewhere."""


class FuzzError(Exception):
    """A fault that raises nothing by itself."""


def execute(data: bytes) -> str:
    """Use all that a reader offers; ``"read"`` or ``"refused"``."""
    from dcz.dcformat import FormatError
    from dcz.dcformat import open as open_container

    try:
        with open_container(io.BytesIO(data)) as container:
            container.outline()
            if sum(prod(entry.shape) for entry in container.entries.values()) > MOST_ELEMENTS:
                return "too large"
            container.verify()
            for name in container.entries:
                whole = container.tensor(name)
                assert b"".join(piece.tobytes() for piece in container.pieces(name)) == whole.tobytes()
            container.info()
            container.labels  # noqa: B018
    except FormatError as error:
        return "refused" if "\n" not in str(error) else _fault("an error of several lines")
    return "read"


def _fault(what: str) -> NoReturn:
    raise FuzzError(what)


def seeds() -> list[bytes]:
    """The vectors, and a file of each encoding."""
    import numpy as np

    from dcz.dcformat import Dense, encode, write
    from dcz.dcformat.encoding.table import Encoding

    vectors = Path(__file__).parent.parent / "vectors"
    files = [path.read_bytes() for path in sorted(vectors.glob("*.dcz")) if path.stat().st_size < 4000]
    rng = np.random.default_rng(0)
    few = np.where(rng.random((20, 30)) < 0.4, rng.choice(rng.normal(size=9), (20, 30)), 0).astype(np.float32)
    many = np.where(rng.random((30, 40)) < 0.4, rng.normal(size=(30, 40)), 0).astype(np.float32)
    rows = np.repeat(few + 1, 2, 0) * rng.random((40, 1), np.float32)
    tensors = [Dense(one, "F32") for one in (few, many, rows)]
    tensors += [Dense(few.astype(np.int16), "I16"), Dense(many.view(np.int32), "I32")]
    tensors += [Dense(tensor.array.reshape(-1)[:60], tensor.dtype) for tensor in tensors]
    for encoding, tensor in product(Encoding, tensors):
        file = io.BytesIO()
        write(file, None, {"t": encode("t", tensor, {encoding})})
        files.append(file.getvalue())
    return sorted(set(files))


@dataclass
class Record:
    """What came of executions.

    Attributes
    ----------
    outcomes : dict of str to int
        How often each came.
    longest : float
        Most processor seconds of one.
    start_mib, peak_mib : float
        Resident memory of the process before the first, and the most of all.
    """

    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("read", "refused", "too large"), 0))
    longest: float = 0.0
    start_mib: float = 0.0
    peak_mib: float = 0.0

    @property
    def executions(self) -> int:
        return sum(self.outcomes.values())

    def __str__(self) -> str:
        return (
            f"{self.executions:,} executions: {self.outcomes}, the longest {self.longest:.3f} s, "
            f"memory {self.start_mib:.0f} MiB before, {self.peak_mib:.0f} MiB at most"
        )


def resident_mib() -> float:
    """Memory of the process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def timed(data: bytes) -> tuple[str, float]:
    """The outcome of an execution, and the processor seconds that it took."""
    began = time.process_time()
    return execute(data), time.process_time() - began


def run(seconds: float, seed: int, most: int | None = None) -> Record:
    """Execute changed files for a number of seconds, or until `most` are done."""
    from fuzz_structure import changed

    rng, files = random.Random(seed), seeds()
    for file in files:  # compile all kernels, which takes its time
        execute(file)
    kept, record = list(files), Record(start_mib=resident_mib())
    start = time.monotonic()
    while time.monotonic() - start < seconds and (most is None or record.executions < most):
        data = changed(rng.choice(kept), rng, files)
        try:
            outcome, taken = timed(data)
            if taken > record.longest:  # once more: a kernel may have been compiled
                taken = min(taken, timed(data)[1])
            if taken > SLOW_SECONDS:
                _fault(f"{taken:.1f} seconds for {len(data)} bytes")
        except BaseException:
            fault = Path(f"fault-{seed}-{record.executions}.dcz")
            fault.write_bytes(data)
            print(f"fuzz: {fault} is the file; {record}", file=sys.stderr)
            raise
        record.outcomes[outcome] += 1
        record.longest = max(record.longest, taken)
        if outcome == "read" and len(data) < 4000 and rng.random() < 0.2:  # go on from what is still read
            kept.append(data)
            if len(kept) > 4 * len(files):
                kept.pop(rng.randrange(len(files), len(kept)))
    # The system counts pages for the peak a little later than for the memory of the moment.
    record.peak_mib = max(record.start_mib, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return record


def run_atheris(corpus: Path, seconds: float, seed: int) -> None:
    """Hand over to libFuzzer, which ends the process."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import atheris

    with atheris.instrument_imports(include=MODULES):
        import dcz.dcformat  # noqa: F401
        from dcz.dcformat.container import reader  # noqa: F401
    from fuzz_structure import changed

    corpus.mkdir(parents=True, exist_ok=True)
    files = seeds()
    for i, file in enumerate(files):
        (corpus / f"seed-{i:03}").write_bytes(file)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        return changed(bytes(data), random.Random(number), files)[:most]

    options = [f"-max_total_time={int(seconds)}", f"-seed={seed}", "-max_len=8000", f"-timeout={int(SLOW_IN_PYTHON)}"]
    atheris.Setup(
        [sys.argv[0], *options, "-rss_limit_mb=2000", str(corpus)],
        lambda data: execute(data) and None,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", type=Path, metavar="CORPUS")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.atheris:
        run_atheris(arguments.atheris, arguments.seconds, arguments.seed)
    print(f"{arguments.seconds:.0f} s, seed {arguments.seed}: {run(arguments.seconds, arguments.seed)}")


if __name__ == "__main__":
    main()
