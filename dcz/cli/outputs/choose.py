"""The output that a command line asks for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.errors import InputError
from ...core.output import check_output
from .styles import Csv, Document, JsonLines, Output, Text

HINT = "--resume goes on in it; or name another output"


@contextmanager
def output(args: argparse.Namespace) -> Iterator[Output]:
    """Open the output of dcz infer for the context.

    Raises
    ------
    InputError
        Answers of an earlier run are in the way.
    OSError
        The output cannot be written.
    """
    out = _open(args)
    complete = False
    try:
        yield out
        complete = True
    finally:
        out.close(complete)


def _open(args: argparse.Namespace) -> Output:
    rows = args.csv or args.jsonl
    if args.output is not None and not rows:
        args.parser.error("-o is for --csv and --jsonl")
    if args.resume and args.output is None and args.parquet is None:
        args.parser.error("--resume goes on in -o FILE of --csv or --jsonl, or in --parquet FOLDER")
    if args.parquet is not None:
        from .parquet import Parquet

        if not args.resume and os.path.isdir(args.parquet) and os.listdir(args.parquet):
            raise InputError("the folder is not empty", path=args.parquet, hint=HINT)
        return Parquet(args.parquet, args.batch_size)
    if rows:
        if args.output is not None:
            check_output(args.output, args.model)
            if not args.resume and os.path.exists(args.output) and os.path.getsize(args.output):
                raise InputError("the file exists", path=args.output, hint=HINT)
        return Csv(args.output) if args.csv else JsonLines(args.output)
    return Document() if args.json else Text()
