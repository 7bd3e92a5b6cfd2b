"""Spread of a bundled recipe over seeds: `dcz compress` on MNIST, whole, once for each of five seeds.

A seed draws the first weights, the order and shifts of the pictures, and the pictures held out. The recipe is that of
the network as it stands; no seed is chosen, and each asks the test set once. Runs are resumed from their work folders.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..suite import Benchmark, Options, Row, Table
from ..weights import NETWORKS

SEEDS, QUICK_SEEDS = 5, 1
STUDIED = ("lenet-300-100", "lenet-5")


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    """A case for each network and seed, in that order."""
    chosen = [NETWORKS[name].arch for name in STUDIED if name in options.networks]
    if options.mnist is None:
        missing = "give the pictures: --mnist FOLDER"
        return {arch: partial(_not_run, arch, missing) for arch in chosen}
    seeds = range(QUICK_SEEDS if options.quick else SEEDS)
    return {f"{arch} seed {seed}": partial(_run, arch, seed, options) for arch in chosen for seed in seeds}


def _not_run(arch: str, why: str) -> list[Row]:
    return [{"network": arch, "engine": "the recipe", "not_run": why}]


def _run(arch: str, seed: int, options: Options) -> list[Row]:
    """Train, prune, share and write with one seed; answer the test set from the file."""
    from dcz.converters.training.pipeline import compress
    from dcz.converters.training.recipe import load_recipe

    assert options.mnist is not None
    folder = options.work / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{arch}-{seed}.dcz"
    recipe = replace(load_recipe(arch), seed=seed)
    report = compress(options.mnist, out, recipe, work=out.with_suffix(".work"), threads=options.threads)
    stages = [{"stage": stage.stage, "held_out": stage.accuracy, "bytes": stage.file_bytes} for stage in report.stages]
    found = {"error": round(1 - report.test_accuracy, 6), "pictures": report.test_pictures}
    return [
        {"network": arch, "seed": seed, "bytes": out.stat().st_size, "ratio": report.stages[-1].ratio}
        | found
        | {"stages": stages}
    ]


def tables(rows: Sequence[Row]) -> list[Table]:
    """A row for each seed, then median, least and greatest, by network."""
    made = []
    for network in NETWORKS.values():
        runs = [row for row in rows if row["network"] == network.arch and "seed" in row]
        if not runs:
            continue
        body: list[tuple[object, ...]] = [(f"seed {row['seed']}", *_cells(row)) for row in runs]
        for name, of in (("median", statistics.median), ("least", min), ("greatest", max)):
            body.append((name, *_cells({key: of(row[key] for row in runs) for key in ("bytes", "ratio", "error")})))
        made.append(Table(f"{network.title}: {len(runs)} seeds", ("", "bytes", "ratio", "test error"), body))
    return made


def _cells(row: Row) -> tuple[object, ...]:
    return round(row["bytes"]), f"{row['ratio']:.1f}", f"{row['error']:.2%}"


BENCHMARK = Benchmark("seeds", "How far do a recipe's results spread over seeds?", cases, tables, "results.md")
