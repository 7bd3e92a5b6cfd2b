"""The example in C: built by its makefile, it answers as the runtime does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcz

EXAMPLE = Path(__file__).parents[2] / "examples" / "c"


@pytest.mark.skipif(not (shutil.which("cc") and shutil.which("make")), reason="needs a C compiler and make")
def test_the_example_classifies_an_image(small_container: Path, tmp_path: Path) -> None:
    for name in ("classify.c", "Makefile"):
        shutil.copy(EXAMPLE / name, tmp_path)
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.pgm")
    options = [f"MODEL={small_container}", f"DCZ={sys.executable} -m dcz", "CFLAGS=-O1 -Wall -Wextra -Werror"]
    subprocess.run(["make", "-s", "-C", tmp_path, *options], check=True)
    command = [tmp_path / "classify", tmp_path / "image.pgm"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    model = dcz.load(small_container)
    scores = model(model.preprocess(pixels))[0]
    best = int(scores.argmax())
    name, _, score = said.partition(" (score ")
    assert name == f"small: {best} {['cat', 'dog', 'owl'][best]}"
    assert float(score.rstrip(")\n")) == pytest.approx(scores[best], rel=1e-5)
    wrong = subprocess.run([tmp_path / "classify", small_container], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (2, "usage: classify IMAGE, a binary PGM with 64 numbers\n")
