from __future__ import annotations

from dcz.core.errors import listed, quoted


def test_long_lists_are_cut() -> None:
    assert quoted(["a", "b", "c"]) == "'a', 'b', 'c'"
    assert quoted(["a", "b", 3, "d", "e"]) == "'a', 'b', 3 and 2 more"
    assert quoted([]) == ""
    assert listed(str(i) for i in range(1004)) == "0, 1, 2 and 1,001 more"
    assert listed("abcd", separator="; ", rest="; and") == "a; b; c; and 1 more"
