"""The parser of the command line: an error is one line and suggests the nearest known word."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """An argparse parser whose error message is one line instead of the whole usage text."""

    def error(self, message: str) -> NoReturn:
        """Print the message and where the help is, and exit with code 2."""
        see = " See" if message.endswith("?") else "; see"
        self.exit(2, f"dcz: error: {message}{see} '{self.prog} --help'\n")

    def parse(self, argv: Sequence[str], defaults: argparse.Namespace) -> argparse.Namespace:
        """Parse a whole command line.

        Parameters
        ----------
        argv : sequence of str
        defaults : argparse.Namespace
            Filled from the command line; its attribute `parser` is the parser of the command.

        Raises
        ------
        SystemExit
            The command line is wrong, or asks for the help or the version.
        """
        args, unknown = self.parse_known_args(argv, defaults)
        parser: Parser = getattr(args, "parser", self)
        if unknown:
            flags = [flag for word in unknown for flag in did_you_mean(word.partition("=")[0], parser.flags())]
            parser.error("; ".join([f"unrecognized arguments: {' '.join(unknown)}", *flags]))
        if parser is self:
            self.error("a command is missing")
        return args

    def flags(self) -> list[str]:
        """The flags that this parser knows."""
        return list(self._option_string_actions)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            said = f"invalid choice: {value!r} (choose from {', '.join(choices)})"
            raise argparse.ArgumentError(action, "; ".join([said, *did_you_mean(str(value), choices)]))


def did_you_mean(word: str, known: Iterable[str]) -> list[str]:
    """Suggest the known word nearest to an unknown one; empty if none is near."""
    return [f"did you mean {near!r}?" for near in get_close_matches(word, known, n=1)]
