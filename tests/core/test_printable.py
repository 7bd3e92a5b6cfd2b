from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.core.printable import UNPRINTABLE, printable


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_nothing_printable_moves_the_cursor_or_fails_to_be_written(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs"}
    assert printable(shown) == shown
    shown.encode()


@pytest.mark.parametrize("text", ["Egyptian cat", "Ærø µm", "猫", "\u00a0 "])
def test_words_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_html_may_have_white_space() -> None:
    assert not UNPRINTABLE.search("a\tb\r\n")
    assert UNPRINTABLE.search("a\x1b[2J")
