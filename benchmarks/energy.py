"""Energy of a fully connected layer: from the processor's counters if they are readable, else from a model.

The model counts operations and bytes at 45 nm, 0.9 V, with the energies of M. Horowitz, "Computing's energy problem
(and what we can do about it)", ISSCC 2014, as table 1 of Han et al., "Learning both weights and connections" (2015)
gives them for 32 bits. Every weight comes from DRAM once, activations from a small SRAM. The model does not describe a
given machine, and leaves out instructions and idle power. A modelled figure is always marked as one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PICOJOULES = {"multiply": 3.7, "add": 0.9, "sram_word": 5.0, "dram_word": 640.0}
WORD_BYTES = 4
RAPL = Path("/sys/class/powercap")
COUNT_SECONDS = 2.0


def compare(
    dense: Callable[[], object], ours: Callable[[], object], features: tuple[int, int], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Microjoules of one run of each, and the method.

    Parameters
    ----------
    dense, ours : callable
        One run.
    features : (int, int)
        Inputs and outputs.
    facts : mapping
        "weight_bytes" of our packing, and "macs" for one sample.
    """
    counters = counter_files()
    if counters:
        return {"how": "RAPL", "dense_uj": count(dense, counters), "dcz_uj": count(ours, counters)}
    weights = features[0] * features[1]
    return {
        "how": "modelled",
        "dense_uj": model(weights, weights * WORD_BYTES, sum(features)),
        "dcz_uj": model(facts["macs"], facts["weight_bytes"], sum(features)),
    }


def model(macs: int, weight_bytes: int, activations: int) -> float:
    """Microjoules by the model: multiply-adds, weights from DRAM, activations from SRAM."""
    arithmetic = macs * (PICOJOULES["multiply"] + PICOJOULES["add"])
    memory = weight_bytes / WORD_BYTES * PICOJOULES["dram_word"] + activations * PICOJOULES["sram_word"]
    return (arithmetic + memory) / 1e6


def counter_files(folder: Path = RAPL) -> list[Path]:
    """RAPL counters of whole packages, if they can be read."""
    files = sorted(folder.glob("intel-rapl:[0-9]/energy_uj"))
    try:
        return [file for file in files if file.read_text()]
    except OSError:
        return []


def count(run: Callable[[], object], counters: list[Path], seconds: float = COUNT_SECONDS) -> float:
    """Microjoules of one run beyond the idle power of the packages, which an idle phase of the same length measures.

    A counter that wraps around during the measurement would give a negative figure; with a few `seconds` none does.
    """
    start, before, runs = time.perf_counter(), _sum(counters), 0
    while time.perf_counter() - start < seconds:
        run()
        runs += 1
    spent, busy = time.perf_counter() - start, _sum(counters) - before
    before = _sum(counters)
    time.sleep(spent)
    return (busy - (_sum(counters) - before)) / runs


def _sum(counters: list[Path]) -> int:
    return sum(int(file.read_text()) for file in counters)
