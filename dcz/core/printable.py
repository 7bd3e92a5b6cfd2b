"""Safe display of text from files: a name or a label may hold anything, even control sequences of a terminal."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters other than white space, and characters that UTF-8 cannot encode. HTML does not allow them."""
_MOVING = re.compile("[\t\n\r\u2028-\u202e\u2066-\u2069]")
"""Characters that end a line or change the direction of text."""


def printable(text: object) -> str:
    """Text for one line on a terminal: a character that is not printable becomes U+FFFD."""
    return _MOVING.sub("\ufffd", UNPRINTABLE.sub("\ufffd", str(text)))
