"""The compiled programs of a model, if there are any."""

from __future__ import annotations

from hashlib import sha256

from ...core import kept
from ...core.compilers import compilers
from ...core.readahead import Content
from .place import MIXED, Key, machine, may_be_kept, usable
from .program import Program


class Programs:
    """Compiled programs of a model; that for a single sample is there.

    Attributes
    ----------
    single : Program
    """

    def __init__(self, key: Key, single: Program) -> None:
        self.single = single
        self._key = key
        self._found: dict[int, Program | None] = {key.size: single}

    def get(self, size: int) -> Program | None:
        """The program for slices of a size; None if there is none. Looked for once."""
        if size not in self._found:
            self._found[size] = load(self._key._replace(size=size))
        return self._found[size]


def find(content: Content, precision: str) -> Programs | None:
    """Find the programs of a container; None where there is none, or none may be used.

    Parameters
    ----------
    content : Content
        Of the container.
    precision : str
        As for `dcz.load`.
    """
    if not usable() or not may_be_kept(len(content)):
        return None
    digest = digest_of(content)
    for name in (MIXED, "fp32") if precision == "auto" else (precision,):
        key = Key(len(content), digest, name, 1, machine())
        program = load(key)
        if program is not None and not (precision == "auto" and name == "fp32" and program.facts.has_ranges):
            return Programs(key, program)
    return None


def load(key: Key) -> Program | None:
    """Load a program; None if it is missing, stale or damaged."""
    for path in key.paths:
        try:
            program = Program(path) if kept.is_sound(path, key.whole) else None
        except OSError:  # there is none; or one in a folder whose files may not be run
            continue
        if program is not None and compilers() in (None, program.compilers):
            return program
    return None


def digest_of(content: Content) -> str:
    """SHA-256 of a container, in hexadecimal digits."""
    return sha256(content.read(0, len(content))).hexdigest()
