"""Time what the tools shipped, by turns: ``python -m benchmarks.questions.compressors.times FOLDER SECONDS``."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from dcz.converters.architectures import ARCHITECTURES
from dcz.core.timing import clock_of, milliseconds, ratio

from ...interleaved import time_interleaved
from .tools import TOOLS


def main(folder: str, seconds: str) -> None:
    """Print milliseconds of one sample and ratios to dcz, by tool, as JSON."""
    import torch

    torch.set_num_threads(1)
    shape = ARCHITECTURES["resnet20_cifar"].input_shape
    sample = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    work = {name: Path(folder) / name.replace(" ", "-") for name in TOOLS}
    runs = {name: TOOLS[name]().load(work[name]) for name in TOOLS if (work[name] / "row.json").exists()}
    clocks = {name: clock_of(partial(run, sample), time.process_time) for name, run in runs.items() if run}
    times = time_interleaved(clocks, float(seconds)).seconds
    print(json.dumps({n: milliseconds(t) | {"ratio": ratio(t, times["dcz"])} for n, t in times.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
