"""The benchmarks: ``python -m benchmarks [--quick] [NAME...]``, from the root of the repository.

Every run is written to benchmarks/results/NAME-TIME.json during the run, with facts about the machine. Older files are
never changed. Tables go to stdout, progress and errors to stderr. ``--docs`` writes tables and plots of the latest
finished runs into the pages under docs/ instead.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from dcz.cli.text import table as as_text

from .networks import QUICK
from .questions import (
    accuracy,
    avx2,
    builds,
    checkpoints,
    cluster,
    codecs,
    cold,
    compiled,
    compressors,
    conversion,
    first_answers,
    floats,
    integer,
    latency,
    layers,
    load,
    memory,
    mobile,
    reproduce_paper,
    scaling,
    seeds,
    serve,
    sizes,
    start,
    streamed,
    web,
    zoo,
)
from .suite import RESULTS, Benchmark, Options, Record, not_run, outcomes
from .weights import NETWORKS

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        sizes,
        latency,
        layers,
        cold,
        load,
        start,
        memory,
        conversion,
        accuracy,
        checkpoints,
        codecs,
        floats,
        reproduce_paper,
        scaling,
        integer,
        builds,
        avx2,
        first_answers,
        cluster,
        seeds,
        serve,
        compiled,
        streamed,
        web,
        compressors,
        mobile,
        zoo,
    )
}
QUICK_BENCHMARKS = ("sizes", "latency", "load", "accuracy")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks; 1 if a case failed."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"unknown benchmark {min(unknown)}; known: {', '.join(BENCHMARKS)}")
    if arguments.docs:
        from .docs_page import update

        try:
            update(arguments.results, {name: BENCHMARKS[name] for name in arguments.names or BENCHMARKS})
        except ModuleNotFoundError as error:
            print(f"benchmarks: --docs needs {error.name}; install with: pip install '.[bench]'", file=sys.stderr)
            return 1
        return 0
    known = {
        *NETWORKS,
        *((*zoo.ZOO, *zoo.FILES) if "zoo" in arguments.names else ()),
        *(mobile.TITLES if {"mobile", "web"} & set(arguments.names) else ()),
        *(integer.MOBILE if "integer" in arguments.names else ()),
    }
    if unknown := set(arguments.networks or ()) - known:
        parser.error(f"unknown network {min(unknown)!r}; known: {', '.join(sorted(known))}")
    if arguments.cpu_time and arguments.threads > 1:
        parser.error("--cpu-time is for one thread: it adds up what several threads take")
    if arguments.jobs > 1 and arguments.names != ["zoo"]:
        parser.error("--jobs is for zoo, whose networks have processes of their own")
    options = _options(arguments)
    command = "python -m benchmarks " + " ".join(_public(sys.argv[1:] if argv is None else argv))
    names = arguments.names or (QUICK_BENCHMARKS if arguments.quick else tuple(BENCHMARKS))
    failed = [
        name for name in names if not run(BENCHMARKS[name], options, arguments.results, command, arguments.resume)
    ]
    return int(bool(failed))


def run(benchmark: Benchmark, options: Options, folder: Path, command: str, resume: bool) -> bool:
    """Measure the cases that are not on file yet, print the tables; return whether all succeeded."""
    unfinished = Record.resume(folder, benchmark.name, command) if resume else None
    record = unfinished or Record.start(folder, benchmark.name, command)
    sound = True
    cases = {key: case for key, case in benchmark.cases(options).items() if key not in record.document["cases"]}
    bar = tqdm(
        outcomes(cases, options.jobs), total=len(cases), desc=benchmark.name, unit="case", leave=False, disable=None
    )
    for key, found in bar:
        bar.set_postfix_str(key)
        if not isinstance(found, Exception):
            record.add(key, found)
            continue
        traceback.print_exception(found)
        print(f"benchmarks: {benchmark.name}: {key} failed; --resume tries it again", file=sys.stderr)
        sound = False
    problems = [problem for row in record.rows for problem in row.get("problems", ())]
    if sound:
        record.finish()
    print(f"\n{benchmark.name}: {benchmark.question}\n{record.path}")
    for table in benchmark.tables(record.rows):
        print(f"\n{table.title}\n{as_text(table.header, table.rows, left=table.left)}")
    for line in not_run(record.rows):
        print(line)
    for problem in problems:
        print(f"benchmarks: {benchmark.name}: {problem}", file=sys.stderr)
    sys.stdout.flush()
    return sound and not problems


def _options(arguments: argparse.Namespace) -> Options:
    quick = arguments.quick
    fields = {name: value for name, value in vars(arguments).items() if name in Options.__dataclass_fields__}
    fields["networks"] = tuple(arguments.networks or (QUICK if quick else NETWORKS))
    fields["batches"] = tuple(arguments.batches or ((1,) if quick else (1, 16)))
    fields["seconds"] = arguments.seconds or (1.5 if quick else 10.0)
    return Options(**fields)


def _public(argv: Sequence[str]) -> list[str]:
    """The command line as it was when the run began: without folders of this machine, --resume and --jobs."""
    shown, arguments = [], iter(argv)
    for argument in arguments:
        if argument == "--jobs":
            next(arguments, None)
        elif argument != "--resume":
            shown.append(Path(argument).name if argument.startswith("/") else argument)
    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="the small networks, short rounds: a few minutes")
    parser.add_argument(
        "--networks",
        metavar="NAME",
        nargs="+",
        help=f"of {', '.join(NETWORKS)}; for zoo, mobile, web and integer: tv:resnet50, ...",
    )
    parser.add_argument("--batches", metavar="N", nargs="+", type=int)
    parser.add_argument("--threads", metavar="N", type=int, default=1)
    parser.add_argument("--seconds", metavar="S", type=float, help="that the rounds of a case last")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="of zoo: networks side by side")
    parser.add_argument("--no-timing", dest="timing", action="store_false", help="of zoo: sizes and answers only")
    parser.add_argument("--no-onnx", dest="onnx", action="store_false", help="of zoo: conversion by torch.export only")
    parser.add_argument("--cpu-time", action="store_true", help="count processor time: one thread on a busy machine")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run of the same options that was broken off"
    )
    parser.add_argument("--results", metavar="FOLDER", type=Path, default=RESULTS)
    parser.add_argument("--docs", action="store_true", help="write tables and plots into docs/, from the results")
    folders = parser.add_argument_group("where things are")
    folders.add_argument(
        "--work", metavar="FOLDER", type=Path, default=Options.work, help="for what is made on the way"
    )
    folders.add_argument(
        "--peers", metavar="FOLDER", type=Path, default=Options.peers, help="environments of other engines"
    )
    folders.add_argument("--models", metavar="FOLDER", type=Path, default=Options.models, help="trained containers")
    folders.add_argument("--build", metavar="FOLDER", type=Path, help="another checkout, for builds and avx2")
    folders.add_argument(
        "--squeezenet", metavar="FILE", type=Path, help="compressed_SqueezeNet.net, as S. Han published it"
    )
    folders.add_argument(
        "--checkpoints", metavar="FOLDER", type=Path, help="published checkpoints to convert, and the files of zoo"
    )
    for data in ("mnist", "cifar10", "imagenet"):
        folders.add_argument(f"--{data}", metavar="FOLDER", type=Path, help="test set for the accuracy")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
