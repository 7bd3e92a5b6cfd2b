from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcz.converters.architectures import Architecture
from dcz.converters.training.proposal import measured_preprocess, propose_recipe
from dcz.dcformat import ConversionError

OWN = Architecture("own.net:make", lambda: None, (3, 8, 8))  # type: ignore[arg-type, return-value]


def test_the_density_follows_the_ratio_and_batches_fit_the_training_set() -> None:
    recipe = propose_recipe(OWN, 200, max_drop=0.01, target_ratio=40.0)
    train, prune, share = recipe.stages
    assert recipe.arch == "own.net:make"
    assert prune.density == pytest.approx(0.1)
    assert share.max_drop == 0.01
    assert train.settings.batch == 10
    assert propose_recipe(OWN, 50_000, 0.01, 40.0).stages[0].settings.batch == 128


@pytest.mark.parametrize(("max_drop", "ratio", "message"), [(1.5, 20, "max_drop"), (0.01, 1.0, "target_ratio")])
def test_numbers_out_of_range(max_drop: float, ratio: float, message: str) -> None:
    with pytest.raises(ConversionError, match=f"{message} out of range"):
        propose_recipe(OWN, 100, max_drop, ratio)


def test_mean_and_deviation_are_those_of_the_training_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = []
    for part in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(3):
                picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) // (1 if part == "train" else 4)
                Image.fromarray(picture).save(tmp_path / part / label / f"{number}.png")
                if part == "train":
                    pixels.append(picture / 255)
    found = measured_preprocess(tmp_path, (3, 8, 8))
    assert (found.mode, found.resize) == ("RGB", (8, 8))
    np.testing.assert_allclose(found.mean, np.mean(pixels, axis=(0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(found.std, np.std(pixels, axis=(0, 1, 2)), atol=1e-4)
    with pytest.raises(ConversionError, match="pictures do not fit"):
        measured_preprocess(tmp_path, (5,))
