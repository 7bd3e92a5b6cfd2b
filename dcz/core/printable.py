"""Text from files as it may be shown: a name or a label can hold anything, even what a terminal would obey."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters, and what UTF-8 can't hold; white space apart. HTML does not allow them."""
_MOVING = re.compile("[\t\n\r\u2028-\u202e\u2066-\u2069]")
"""Characters that end a line, or reorder what stands beside them."""


def printable(text: object) -> str:
    """Text as part of one line on a terminal: whatever would not show as a character there becomes U+FFFD."""
    return _MOVING.sub("\ufffd", UNPRINTABLE.sub("\ufffd", str(text)))
