"""Charts as inline SVG: pure functions from numbers to markup.

Lengths along x are percentages and text stands outside the chart, so a chart fits any screen without scaling its text.
Colours are classes of `report.css`, which handles dark mode and print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .html import Markup, tag

HEIGHT = 1000
"""Height of a histogram's fullest bin, in units of the drawing."""
COLUMN_HEIGHT = 56
"""Pixels of the tallest column; its name stands below."""
MIN_COLUMNS = 6
"""With fewer columns, space is left on the right, and columns do not grow wider."""


def bar(parts: Mapping[str, float], total: float, label: str, unit: str = "bytes") -> Markup:
    """One horizontal bar made of parts, from left to right.

    Parameters
    ----------
    parts : mapping of str to float
        Sizes by name; the name is also the class of its colour. Nothing is drawn for those that are zero.
    total : float
        Value of the full width, at least the sum of the parts.
    label : str
        What the bar shows, for those who don't see it.
    unit : str
        Of the parts, for the tooltips.
    """
    rects, start = [], 0.0
    for name, size in parts.items():
        if size > 0:
            share = 100 * size / total
            title = tag("title", f"{name}: {size:,} {unit}")
            rects.append(
                tag("rect", title, class_=f"c-{name}", x=_percent(start), width=_percent(share), height="100%")
            )
            start += share
    return tag("svg", rects, class_="bar", role="img", aria_label=label)


def columns(heights: Mapping[str, float], label: str, tooltips: Sequence[str]) -> Markup:
    """Vertical bars side by side, each above its name; the tallest is as high as the chart.

    Parameters
    ----------
    heights : mapping of str to float
        Not negative, by name.
    label : str
        What the chart shows, for those who don't see it.
    tooltips : sequence of str
        One for each bar.
    """
    top = max(heights.values(), default=0) or 1
    step = 100 / max(len(heights), MIN_COLUMNS)
    shapes = []
    for i, ((name, value), tooltip) in enumerate(zip(heights.items(), tooltips, strict=True)):
        height = round(COLUMN_HEIGHT * value / top, 1)
        box = {"x": _percent(step * (i + 0.1)), "width": _percent(step * 0.8)}
        shapes.append(tag("rect", tag("title", tooltip), **box, y=f"{COLUMN_HEIGHT - height:g}", height=f"{height:g}"))
        shapes.append(tag("text", name, x=_percent(step * (i + 0.5)), y=COLUMN_HEIGHT + 12))
    return tag("svg", *shapes, class_="columns", role="img", aria_label=label)


def outline(heights: Sequence[float], label: str, behind: Sequence[float] | None = None) -> Markup:
    """A histogram of many narrow bins, as one shape; a second histogram may be drawn behind it.

    Parameters
    ----------
    heights, behind : sequence of float
        Counts by bin. Each histogram is scaled to its own fullest bin.
    label : str
        What the chart shows, for those who don't see it.
    """
    shapes = [tag("path", d=_steps(behind), class_="behind")] if behind is not None else []
    shapes.append(tag("path", d=_steps(heights)))
    box = f"0 0 {len(heights)} {HEIGHT}"
    return tag("svg", shapes, class_="plot", role="img", aria_label=label, viewBox=box, preserveAspectRatio="none")


def _steps(heights: Sequence[float]) -> str:
    """A path over all bins: across each, and up or down to the next."""
    top = max(heights, default=0) or 1
    steps = "".join(f"V{HEIGHT - round(HEIGHT * height / top)}h1" for height in heights)
    return f"M0 {HEIGHT}{steps}V{HEIGHT}z"


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"
