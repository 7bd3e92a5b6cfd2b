"""The page in a real browser, headless: skipped where Chromium, its driver or selenium is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcz.reporting import Facts, LayerTimes, collect, render
from dcz.reporting.timing import LayerTime

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
WIDTHS = (390, 1280)

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed")

EMPTY_CHARTS = """
    return [...document.querySelectorAll('svg')].filter(svg => {
        const box = svg.getBoundingClientRect(), shapes = [...svg.querySelectorAll('rect, path')];
        return !(box.width > 20 && box.height > 5
            && (shapes.length === 0 || shapes.some(s => s.getBoundingClientRect().width > 0)));
    }).map(svg => svg.getAttribute('aria-label'))
"""
HIDDEN_BY_EDGES = """
    return [...document.querySelectorAll('main *')].filter(element => {
        if (element.closest('.scroll') || element.closest('svg')) return false;
        const box = element.getBoundingClientRect();
        return box.right > innerWidth + 0.5 || box.left < -0.5;
    }).map(element => element.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium that keeps what it says and what it asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def show(browser: Any, page: Path, width: int, scheme: str = "light") -> None:
    """Load a page as a phone or as a desk would."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(page.as_uri())


def requests(browser: Any) -> list[str]:
    """Addresses that the browser has asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


@pytest.fixture(scope="module", params=["all", "hostile", "timed"])
def page(request: Any, facts: Facts, hostile: Path, hostile_name: str, tmp_path_factory: Any) -> Path:
    """Pages with everything in them, with hostile text, and with long names and times."""
    made = facts
    if request.param == "hostile":
        made = collect(hostile)
    elif request.param == "timed":
        rows = [
            LayerTime("x" * 300, "conv2d", "conv_sparse", 123456.5, 2345678.5),
            LayerTime("a", "a", "a", 12345, None),
        ]
        layers = [replace(layer, row=dict(layer.row) | {"name": "y" * 300}) for layer in facts.layers[:1]]
        made = replace(facts, times=LayerTimes(rows, "batch 1"), layers=layers, file="z" * 200, against="model.pt")
    path: Path = tmp_path_factory.mktemp("pages") / "page.html"
    path.write_text(render(made), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_it_loads_without_errors_and_asks_for_nothing(browser: Any, page: Path, width: int) -> None:
    requests(browser)
    browser.get_log("browser")
    show(browser, page, width)
    assert browser.get_log("browser") == []
    assert set(requests(browser)) <= {page.as_uri(), "data:,"}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(browser: Any, page: Path, width: int) -> None:
    show(browser, page, width)
    wide, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert inner == width
    assert wide <= inner
    assert browser.execute_script(HIDDEN_BY_EDGES) == []


def test_a_desk_shows_tables_and_the_drawing_whole(browser: Any, facts: Facts, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(facts), encoding="utf-8")
    show(browser, path, WIDTHS[1])
    wider = "return [...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth).length"
    assert browser.execute_script(wider) == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_charts_are_drawn(browser: Any, page: Path, width: int) -> None:
    show(browser, page, width)
    assert browser.execute_script("return document.querySelectorAll('svg').length") > 5
    assert browser.execute_script(EMPTY_CHARTS) == []


def test_every_layer_is_visible(browser: Any, facts: Facts, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(facts), encoding="utf-8")
    show(browser, path, WIDTHS[0])
    for section in ("layers", "inside", "tensors"):
        shown = browser.execute_script("return document.getElementById(arguments[0]).innerText", section)
        assert all(layer.name in shown for layer in facts.layers)


def test_text_stands_out_in_light_and_dark(browser: Any, page: Path) -> None:
    backgrounds = {}
    for scheme in ("light", "dark"):
        show(browser, page, WIDTHS[1], scheme)
        colours = browser.execute_script(
            "return ['body', '.note', 'caption', 'a', 'td', 'dt'].map(s => document.querySelector(s))"
            ".filter(e => e).map(e => getComputedStyle(e).color)"
        )
        backgrounds[scheme] = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        for colour in colours:
            assert contrast(colour, backgrounds[scheme]) >= 4.5  # WCAG 2.2, 1.4.3
    assert backgrounds["light"] != backgrounds["dark"]


def contrast(one: str, other: str) -> float:
    """Contrast of two ``rgb(...)`` colours, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_keyboard_reaches_links_and_wide_tables(browser: Any, page: Path) -> None:
    show(browser, page, WIDTHS[0])
    body = browser.find_element("tag name", "body")
    body.send_keys("\ue004")  # Tab
    assert browser.execute_script("return document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        browser.switch_to.active_element.send_keys("\ue004")
        reached.add(browser.execute_script("return document.activeElement.tagName"))
    assert {"A", "DIV"} <= reached
    outline = browser.execute_script(
        "const region = document.querySelector('.scroll'); region.focus({focusVisible: true});"
        "return getComputedStyle(region).outlineStyle"
    )
    assert outline == "solid"
