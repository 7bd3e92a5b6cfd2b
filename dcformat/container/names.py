"""Names of tensors as a manifest of format 1.1 writes them: without the part that the name before has too.

A network's names repeat: behind ``layer1.0.bn1.weight``, ``layer1.0.bn1.bias`` is written ``.bias``. A name that itself
begins with a dot is written with one dot more.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...core.errors import FormatError

MAX_CONTINUED = 255
"""Most characters of a name that is not written in full: a long one cannot be repeated for next to nothing."""


def shorten(names: Iterable[str], *, continue_: bool) -> list[str]:
    """Write names, in their order.

    Parameters
    ----------
    names : iterable of str
    continue_ : bool
        Whether names may go on from the one before.
    """
    written, before = [], ""
    for name in names:
        prefix, _, last = name.rpartition(".")
        goes_on = continue_ and prefix and last and prefix == _prefix(before) and len(name) <= MAX_CONTINUED
        written.append(f".{last}" if goes_on else f".{name}" if name.startswith(".") else name)
        before = name
    return written


def expand(text: str, before: str) -> str:
    """Read a name behind another one.

    Raises
    ------
    FormatError
        It goes on from a name without a dot, or is too long for that.
    """
    if not text.startswith("."):
        return text
    if text.startswith(".."):
        return text[1:]
    name = _prefix(before) + text
    if name == text or len(name) > MAX_CONTINUED:
        raise FormatError("manifest: a name cannot go on from the one before", found=ascii(name[:40]))
    return name


def _prefix(name: str) -> str:
    return name.rpartition(".")[0]
