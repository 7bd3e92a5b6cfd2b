"""The command line: ``dcz COMMAND ...``. One module a command; nothing heavy is imported before a command runs.

stdout carries the answer, stderr progress and messages. Exit codes: 0 done, 1 the work failed, 2 the command line is
wrong, 130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .. import __version__
from ..core.printable import printable
from . import (
    bench,
    calibrate,
    compile,
    completion,
    compress,
    convert,
    demo,
    export,
    infer,
    info,
    report,
    serve,
    verify,
    warm,
)
from .explain import explain
from .parser import Parser
from .signals import Terminated, sigterm_raises
from .streams import safe_streams

COMMANDS = (
    convert,
    infer,
    info,
    verify,
    export,
    compress,
    calibrate,
    compile,
    report,
    bench,
    serve,
    warm,
    demo,
    completion,
)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a write for which the disk has no space."""


def build_parser() -> Parser:
    """Build the parser of the whole command line; each command module adds its own part."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)  # keeps flags given before COMMAND
    common.add_argument("-v", "--verbose", action="store_true", help="say more on stderr: times, compilation")
    common.add_argument("-q", "--quiet", action="store_true", help="no progress and no messages but errors")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = Parser(
        prog="dcz",
        description="Compressed model files (.dcz) and sparse CPU inference: convert, look inside, run.",
        parents=[common],
        epilog="'dcz COMMAND --help' says more. Exit codes: 0 done, 1 the work failed, 2 the command line is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"dcz {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0].partition(": ")[2]
        sub = commands.add_parser(name, parents=[common], help=summary, description=summary)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run, parser=sub)
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
    argv = sys.argv[1:] if argv is None else argv
    parser = build_parser()
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    try:
        args = parser.parse(argv, argparse.Namespace(verbose=False, quiet=False, debug=False))
    except SystemExit as stop:  # argparse has printed the help, the version or the error
        return int(stop.code or 0)
    with safe_streams(), warnings.catch_warnings(), _log_to_stderr(args.verbose, args.quiet), sigterm_raises():
        if not args.debug:
            warnings.simplefilter("ignore")  # the user of a command cannot act on a library's deprecation
        try:
            code: int = args.run(args)
            if sys.stdout is not None:  # None where the caller closed it
                sys.stdout.flush()  # flush now, so that the handler below sees a closed pipe
            return code
        except SystemExit as stop:  # of flags that do not go together, which argparse cannot know
            return int(stop.code or 0)
        except KeyboardInterrupt:
            return _fail("interrupted", 130)
        except Terminated:
            return _fail("terminated", 143)
        except BrokenPipeError:  # the reader (head, less) has closed the pipe: not an error
            _forget_stdout()
            return 1
        except Exception as error:
            if args.debug:
                raise
            if isinstance(error, OSError) and error.errno in NO_ROOM and not error.filename:
                error.filename = "standard output"  # every other write names its file
                _forget_stdout()
            return _fail(f"error: {explain(error)}", 1)


def _forget_stdout() -> None:
    """Redirect stdout to the null device: the flush at exit would only fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    """Within the context, print the library's log messages to stderr."""
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
