"""dcz completion: a script that completes commands, flags and file names in your shell."""

from __future__ import annotations

import argparse
import re

from ..core.errors import InputError

SHELLS = ("bash", "zsh", "tcsh")
PATHS = re.compile(r"DIR|FILE|FOLDER|PATH|\.[a-z]")
"""Metavars that stand for paths: ``MODEL.dcz``, ``DIR``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("shell", choices=SHELLS)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from . import build_parser

    try:
        import shtab
    except ImportError:
        raise InputError("shtab is not installed", hint="pip install 'dcz[completion]'") from None
    parser = build_parser()
    for command in commands(parser):
        for action in command._actions:
            if action.choices is None and PATHS.search(str(action.metavar)):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, args.shell))
    return 0


def commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of the commands."""
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [command for action in found for command in action.choices.values()]
