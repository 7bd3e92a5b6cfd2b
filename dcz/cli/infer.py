"""dcz infer: classify images, without any deep learning framework."""

from __future__ import annotations

import argparse
import csv
import gc
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..core.printable import printable
from ..core.progress import progress
from . import text
from .arguments import TUNING, positive

if TYPE_CHECKING:
    from ..runtime import Prediction

Answers = list[tuple[str, list["Prediction"]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="an image, a .npy array, or a folder of them")
    parser.add_argument("--top", metavar="K", type=positive, default=5, help="answers an image (default 5)")
    parser.add_argument("--batch-size", metavar="N", type=positive, default=16, help="images at a time (default 16)")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads to run on (default: all cores)")
    parser.add_argument("--tuning", metavar="FILE", help=TUNING)
    parser.add_argument(
        "--backend", choices=("local", "dask"), default="local", help="dask: spread images over a cluster (%(default)s)"
    )
    parser.add_argument("--scheduler", metavar="ADDR", help="a Dask cluster's; without it dask starts one here")
    style = parser.add_mutually_exclusive_group()
    style.add_argument("--json", action="store_true", help="one JSON document")
    style.add_argument("--csv", action="store_true", help="lines of path,rank,label,index,score")


def run(args: argparse.Namespace) -> int:
    """Answer for each image, in the order the paths were given; print nothing unless all could be answered."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "import"), _kept():
        from ..runtime.vision.find import find
        from ..runtime.vision.ranking import warn_of_nan
    paths = find(args.paths)
    on_cluster = args.backend == "dask" or args.scheduler
    answers = _on_cluster(paths, args) if on_cluster else _here(paths, args, seconds)
    warn_of_nan(answers)
    _print(answers, args)
    return 0


def _here(paths: list[str], args: argparse.Namespace, seconds: dict[str, float]) -> Answers:
    from ..core.jit import COMPILATIONS
    from ..runtime import load

    compiled = COMPILATIONS.seconds
    with _timed(seconds, "load"):
        model = load(args.model, args.threads, args.tuning)
    with _timed(seconds, "inference"):
        answers = list(progress(model.classify(paths, args.top, args.batch_size), "image", len(paths)))
    seconds["compile"] = COMPILATIONS.seconds - compiled
    if args.verbose:
        _tell(seconds, model.stats["plan_seconds"], len(answers))
    return answers


def _on_cluster(paths: list[str], args: argparse.Namespace) -> Answers:
    from ..dcformat import InputError
    from .cluster import classify

    if args.tuning:
        raise InputError("--tuning is for this machine alone", hint="leave it out, or --backend and --scheduler")
    answers = classify(args.model, paths, args.top, args.batch_size, args.threads, args.scheduler)
    return list(progress(answers, "image", len(paths)))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


@contextmanager
def _kept() -> Iterator[None]:
    """Exempt imported modules from garbage collection: searching them takes a fifth of a short run."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _tell(seconds: dict[str, float], plan: float, images: int) -> None:
    """Report the time of each stage. Loading includes planning; compilation is part of the stage that needs it."""
    print(
        f"dcz: import {seconds['import']:.3f} s, load {seconds['load']:.3f} s (plan {plan:.3f} s), "
        f"inference of {images} with reading {seconds['inference']:.3f} s; compile {seconds['compile']:.3f} s of these",
        file=sys.stderr,
    )


def _print(answers: Answers, args: argparse.Namespace) -> None:
    if args.json:
        print(text.to_json([{"path": path, "predictions": [p._asdict() for p in top]} for path, top in answers]))
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("path", "rank", "label", "index", "score"))
        for path, top in answers:
            rows = ((printable(path), rank, printable(p.label), p.index, p.score) for rank, p in enumerate(top, 1))
            writer.writerows(rows)
    else:
        print("\n".join(lines(answers)))


def lines(answers: Answers) -> Iterable[str]:
    """One line an image, its best answer first, in columns."""
    width = max(len(path) for path, _ in answers)
    cell = max(len(p.label) for _, top in answers for p in top)
    for path, top in answers:
        cells = (f"{printable(p.label):<{cell}} {p.score:>6.1%}" for p in top)
        yield f"{printable(path):<{width}}  {'  '.join(cells)}"
