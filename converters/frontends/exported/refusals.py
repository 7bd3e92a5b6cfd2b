"""All that a network needs and dcz does not have, as one error."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ....dcformat import Shape, UnsupportedOpError

DOCS = "docs/format.md, section 6, lists what dcz has"


def as_one(errors: Sequence[UnsupportedOpError]) -> UnsupportedOpError:
    """The first error, whose hint tells of the others: what alike nodes lack is counted, sizes apart."""
    groups: dict[str, list[UnsupportedOpError]] = {}
    for error in errors:
        groups.setdefault(re.sub(r"\d+", "", error.what), []).append(error)
    first, *others = (_counted(group) for group in groups.values())
    first.hint = "; ".join([*(f"also {other}" for other in others), DOCS])
    return first


def renamed(error: UnsupportedOpError, op: str, node: str, shape: Shape | None) -> UnsupportedOpError:
    """The same error about an operator and node of other names."""
    return UnsupportedOpError(op, node=node, shape=shape, why=_why(error), hint=error.hint)


def _counted(alike: Sequence[UnsupportedOpError]) -> UnsupportedOpError:
    first = alike[0]
    times = f", {len(alike)} times" if len(alike) > 1 else ""
    return UnsupportedOpError(first.op, node=first.node, shape=first.shape, why=_why(first) + times)


def _why(error: UnsupportedOpError) -> str:
    return error.what.removeprefix(f"{error.op}: ")
