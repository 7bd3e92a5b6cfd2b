"""The command line: ``dcz COMMAND ...``. One module a command; nothing heavy is imported before a command runs.

stdout carries the answer, stderr progress and messages. Exit codes: 0 done, 1 the work failed, 2 the command line is
wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from .. import __version__
from ..core.printable import printable
from . import bench, compress, convert, demo, export, infer, info, report, verify, warm

COMMANDS = (convert, infer, info, verify, export, compress, report, bench, warm, demo)
EXTRAS = {**dict.fromkeys(("torch", "sklearn", "scipy", "safetensors", "onnx"), "convert"), "distributed": "dask"}
"""Modules that `pip install dcz` leaves out and `pip install 'dcz[convert]'` brings."""


class _Parser(argparse.ArgumentParser):
    """argparse, but a wrong command line costs one line, not the usage of everything."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dcz: error: {message}; see '{self.prog} --help'\n")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line; each command module adds its own part."""
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)  # so that it never undoes what came before
    common.add_argument("-v", "--verbose", action="store_true", help="say more on stderr: times, compilation")
    common.add_argument("-q", "--quiet", action="store_true", help="no progress and no messages but errors")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(
        prog="dcz",
        description="Compressed model files (.dcz) and sparse CPU inference: convert, look inside, run.",
        parents=[common],
        epilog="'dcz COMMAND --help' says more. Exit codes: 0 done, 1 the work failed, 2 the command line is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"dcz {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0].partition(": ")[2]
        sub = commands.add_parser(name, parents=[common], help=summary, description=summary)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    try:
        args = build_parser().parse_args(argv, argparse.Namespace(verbose=False, quiet=False, debug=False))
    except SystemExit as stop:  # argparse has printed the help, the version or the error
        return int(stop.code or 0)
    with warnings.catch_warnings(), _log_to_stderr(args.verbose, args.quiet):
        if not args.debug:
            warnings.simplefilter("ignore")  # libraries' deprecations are no message to somebody who converts a file
        try:
            code: int = args.run(args)
            if sys.stdout is not None:  # where it was closed beforehand there is none
                sys.stdout.flush()  # here, so that a closed pipe is noticed below
            return code
        except KeyboardInterrupt:
            return _fail("interrupted", 130)
        except BrokenPipeError:
            # The reader of our output (head, less) has gone: no error to report, and nothing left to flush at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:
            if args.debug:
                raise
            return _fail(f"error: {_explain(error)}", 1)


def _explain(error: Exception) -> str:
    from ..core.errors import DczError

    if isinstance(error, DczError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get((error.name or "").partition(".")[0])):
        return f"this command needs {error.name}, which is not installed; install with: pip install 'dcz[{extra}]'"
    if isinstance(error, OSError) and error.strerror:
        return f"{os.fspath(error.filename)}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory"
    return f"unexpected {type(error).__name__}: {error}; this is a bug in dcz, --debug shows where"


def _fail(message: str, code: int) -> int:
    print("dcz:", _line(message), file=sys.stderr)
    return code


def _line(message: str) -> str:
    return printable(" ".join(message.split()))


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"dcz: {_line(super().format(record))}"


@contextmanager
def _log_to_stderr(verbose: bool, quiet: bool) -> Iterator[None]:
    """While it lasts, the library's log messages are lines on stderr."""
    logger = logging.getLogger("dcz")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
