from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.reporting import charts

counts = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)


def percent(value: str | None) -> float:
    assert value is not None
    assert value.endswith("%")
    return float(value[:-1])


def levels(path: str) -> list[float]:
    """Heights of the steps of a histogram's outline, as shares of the chart."""
    assert path.startswith(f"M0 {charts.HEIGHT}")
    assert path.endswith(f"V{charts.HEIGHT}z")
    return [1 - int(y) / charts.HEIGHT for y in re.findall(r"V(\d+)h1", path)]


@given(st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 10**9), min_size=1), st.integers(0, 10**9))
def test_parts_of_a_bar_are_as_wide_as_they_are_large(parts: dict[str, int], rest: int) -> None:
    total = sum(parts.values()) + rest + 1
    svg = ET.fromstring(charts.bar(parts, total, "a bar"))
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "a bar"
    sizes = {name: size for name, size in parts.items() if size}
    start = 0.0
    for rect, (name, size) in zip(svg, sizes.items(), strict=True):
        assert rect.attrib["class"] == f"c-{name}"
        assert percent(rect.attrib["x"]) == pytest.approx(start, abs=2e-3)
        assert percent(rect.attrib["width"]) == pytest.approx(100 * size / total, abs=1e-3)
        assert rect.findtext("title") == f"{name}: {size:,} bytes"
        start += 100 * size / total


@given(counts)
def test_columns_are_as_high_as_their_numbers(heights: list[int]) -> None:
    names = [str(i) for i in range(len(heights))]
    svg = ET.fromstring(charts.columns(dict(zip(names, heights, strict=True)), "label", names))
    assert [text.text for text in svg.iter("text")] == names
    for rect, height in zip(svg.iter("rect"), heights, strict=True):
        expected = charts.COLUMN_HEIGHT * height / (max(heights) or 1)
        assert float(rect.attrib["height"]) == pytest.approx(expected, abs=0.051)
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) == pytest.approx(charts.COLUMN_HEIGHT)
        assert percent(rect.attrib["x"]) + percent(rect.attrib["width"]) <= 100


@given(counts, st.data())
def test_an_outline_follows_the_counts(heights: list[int], data: st.DataObject) -> None:
    behind = data.draw(st.lists(st.integers(0, 99), min_size=len(heights), max_size=len(heights)))
    svg = ET.fromstring(charts.outline(heights, "label", behind))
    back, front = svg.iter("path")
    assert back.attrib["class"] == "behind"
    for path, expected in ((front, heights), (back, behind)):
        top = max(expected) or 1
        assert levels(path.attrib["d"]) == pytest.approx([count / top for count in expected], abs=1 / charts.HEIGHT)
    assert svg.attrib["viewBox"] == f"0 0 {len(heights)} {charts.HEIGHT}"


def test_labels_are_escaped() -> None:
    svg = ET.fromstring(charts.bar({"a": 1}, 1, '"><script>'))
    assert svg.attrib["aria-label"] == '"><script>'
