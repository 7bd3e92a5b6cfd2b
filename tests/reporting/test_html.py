from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.reporting.html import Markup, escape, join, table, tag


class Reader(HTMLParser):
    """What a browser would see: tags with their attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]))


@given(printable, printable)
def test_text_and_attributes_come_back_and_make_no_tags(text: str, attribute: str) -> None:
    seen = Reader(tag("p", text, title=attribute))
    assert seen.tags == [("p", {"title": attribute})]
    assert seen.text == text


@given(st.text(st.characters()))
def test_whatever_the_text_the_page_can_be_written(text: str) -> None:
    written = escape(text).encode().decode()
    assert not any(ord(c) < 32 and c not in "\t\n\r" for c in written)
    assert not set(written) & set("<>\"'")


def test_attributes() -> None:
    assert tag("a", "x", class_="c", aria_label="l", hidden=True, id=None, open=False) == (
        '<a class="c" aria-label="l" hidden>x</a>'
    )
    assert tag("meta", name="x") == '<meta name="x">'


def test_content_is_flattened_and_escaped_once() -> None:
    inner = tag("b", "<")
    assert join([inner, None, (1, [" & ", 2.5])], Markup("<i>")) == "<b>&lt;</b>1 &amp; 2.5<i>"


def test_a_table_names_its_columns_and_rows() -> None:
    made = table("sizes", ("name", "bytes"), [("a", 1), ("b", 2)], total=("all", 3))
    tags = Reader(made).tags
    assert [attributes["scope"] for name, attributes in tags if name == "th"] == ["col", "col", "row", "row", "row"]
    assert ("caption", {}) in tags
    assert tags[0] == ("div", {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": "sizes"})


def test_wrong_content_is_no_silent_text() -> None:
    with pytest.raises(TypeError):
        tag("p", object())  # type: ignore[arg-type]
