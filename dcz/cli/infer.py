"""dcz infer: classify images, without any deep learning framework."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..core.errors import InputError, Tally
from ..core.garbage import uncollected
from ..core.printable import printable
from ..core.progress import progress, shown
from .arguments import PRECISION, PRECISIONS, TUNING, positive
from .outputs.choose import output

if TYPE_CHECKING:
    from ..runtime import Answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("model", metavar="MODEL.dcz")
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="an image, a .npy array, a folder of them, or an address (s3://...)"
    )
    parser.add_argument("--top", metavar="K", type=positive, default=5, help="answers an image (default 5)")
    parser.add_argument("--batch-size", metavar="N", type=positive, default=16, help="images at a time (default 16)")
    parser.add_argument("--threads", metavar="N", type=positive, help="threads to run on (default: all cores)")
    parser.add_argument("--tuning", metavar="FILE", help=TUNING)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help=PRECISION)
    parser.add_argument(
        "--backend", choices=("local", "dask"), default="local", help="dask: spread images over a cluster (%(default)s)"
    )
    parser.add_argument("--scheduler", metavar="ADDR", help="a Dask cluster's; without it dask starts one here")
    style = parser.add_mutually_exclusive_group()
    style.add_argument("--json", action="store_true", help="one JSON document, at the end")
    style.add_argument("--csv", action="store_true", help="lines of path,rank,label,index,score,error, as answers come")
    style.add_argument("--jsonl", action="store_true", help="a line of JSON an image, as answers come")
    style.add_argument("--parquet", metavar="FOLDER", help="Parquet files with the columns of --csv, as answers come")
    parser.add_argument("-o", "--output", metavar="FILE", help="file of --csv or --jsonl (default: standard output)")
    parser.add_argument("--resume", action="store_true", help="go on where the output of a run that stopped ends")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that cannot be read")


def run(args: argparse.Namespace) -> int:
    """Answer for each image, in the order the paths were given; exit code 1 if a file could not be read."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "import"), uncollected(for_good=True):
        from ..runtime.vision.find import find
        from ..runtime.vision.ranking import warning_of_nan
    paths = find(args.paths)  # checked at once, walked as they are needed
    count = sum(1 for _ in find(args.paths)) if shown() else None
    unread = Tally()
    with output(args) as out:
        if args.resume:
            paths = out.remaining(paths, args.batch_size)
        on_cluster = args.backend == "dask" or args.scheduler
        answers = _on_cluster(paths, args) if on_cluster else _here(paths, args, seconds)
        for answer in progress(warning_of_nan(answers), "image", count):
            if answer.error is not None:
                unread.add(answer.error.path)
                _refuse(answer.error, args.strict, out.shows_errors)
            out.write(answer)
    if unread.count and out.shows_errors:
        files = f"{unread.count:,} file{'s' * (unread.count > 1)}"
        _say_error(f"{files} could not be read, as the output tells: {unread}")
    return 1 if unread.count else 0


def _refuse(error: InputError, strict: bool, shown: bool) -> None:
    """Raise the error of a file, or say it unless the output does."""
    if strict:
        raise error
    if not shown:
        _say_error(str(error))


def _say_error(message: str) -> None:
    print(f"dcz: error: {printable(message)}", file=sys.stderr)


def _here(paths: Iterable[str], args: argparse.Namespace, seconds: dict[str, float]) -> Iterator[Answer]:
    from ..core.jit import COMPILATIONS
    from ..runtime import load

    compiled = COMPILATIONS.seconds
    with _timed(seconds, "load"):
        model = load(args.model, args.threads, args.tuning, args.precision)
    count = 0
    with _timed(seconds, "inference"):
        for answer in model.answers(paths, args.top, args.batch_size):
            count += 1
            yield answer
    seconds["compile"] = COMPILATIONS.seconds - compiled
    if args.verbose:
        _tell(seconds, model.stats["plan_seconds"], count)


def _on_cluster(paths: Iterable[str], args: argparse.Namespace) -> Iterator[Answer]:
    from .cluster import answers

    if args.tuning:
        raise InputError("--tuning is for this machine alone", hint="leave it out, or --backend and --scheduler")
    options = args.top, args.batch_size, args.threads, args.scheduler, args.precision
    return answers(args.model, paths, *options)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _tell(seconds: dict[str, float], plan: float, images: int) -> None:
    """Report the time of each stage. Loading includes planning; compilation is part of the stage that needs it."""
    print(
        f"dcz: import {seconds['import']:.3f} s, load {seconds['load']:.3f} s (plan {plan:.3f} s), "
        f"inference of {images} with reading {seconds['inference']:.3f} s; compile {seconds['compile']:.3f} s of these",
        file=sys.stderr,
    )
