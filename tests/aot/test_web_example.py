"""The example for browsers: pixels become what the runtime makes of them, and the page answers as the runtime does."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcz
from benchmarks.questions.web import browser
from dcz.aot.compile import compile_model
from dcz.dcformat import Preprocess
from dcz.runtime.vision.images import Inputs

EXAMPLES = Path(__file__).parents[2] / "examples"
CONVERT = """
import { readFileSync } from "node:fs";
import { inputOf, resized } from "MODULE";
const { rgba, steps, sizes } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify([[...inputOf(rgba, steps)], sizes.map(([w, h, to]) => resized(w, h, to))]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("mode", ["RGB", "BGR", "L"])
def test_pixels_become_what_the_runtime_makes_of_them(mode: str) -> None:
    channels = 1 if mode == "L" else 3
    steps = Preprocess(mode=mode, mean=(0.4, 0.5, 0.3)[:channels], std=(0.2, 0.3, 0.4)[:channels])
    rgba = np.random.default_rng(1).integers(0, 256, (5, 4, 4), np.uint8)
    rgba[..., 3] = 255
    facts = {"mode": mode, "scale": steps.scale, "mean": steps.mean, "std": steps.std}
    sizes = [[10, 20, 5], [20, 10, 5], [7, 3, 4], [10, 20, [3, 4]], [6, 5, None]]
    given = json.dumps({"rgba": rgba.reshape(-1).tolist(), "steps": facts, "sizes": sizes})
    code = CONVERT.replace("MODULE", (EXAMPLES / "web" / "pixels.mjs").as_uri())
    command = ["node", "--input-type=module", "-e", code]
    said = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    found, shapes = json.loads(said)
    ((_, expected),) = Inputs(steps, (channels, 5, 4)).samples(Image.fromarray(rgba[..., :3]))
    np.testing.assert_allclose(found, expected.reshape(-1), rtol=1e-6, atol=1e-6)
    assert shapes == [[5, 10], [10, 5], [9, 4], [4, 3], [6, 5]]


@pytest.fixture
def site(small_container: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the examples with a compiled model, served on this machine."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    compile_model(small_container, tmp_path / "examples" / "web" / "model.wasm", target="wasm32")
    with browser.served(tmp_path / "examples") as address:
        yield f"{address}web/"


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
@pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
def test_the_page_classifies_an_image(site: str, small_container: Path, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    pixels = np.random.default_rng(3).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    with browser.headless() as page:
        page.get(site)
        WebDriverWait(page, 60).until(lambda page: "is ready" in page.find_element("id", "state").text)
        page.find_element("id", "file").send_keys(str(tmp_path / "image.png"))
        WebDriverWait(page, 60).until(lambda page: page.find_element("id", "answer").text)
        rows = page.find_element("id", "answer").text.splitlines()
    (expected,) = dcz.load(small_container).predict([pixels], top=3)
    assert rows == [f"{answer.label} {100 * answer.score:.1f} %" for answer in expected]
