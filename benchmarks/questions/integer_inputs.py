"""Inputs of the benchmark of integers: some to calibrate with, others to compare answers on.

Trained networks take images of their training and test sets. SqueezeNet takes the photos that lie beside its file, and
is calibrated on crops of them. Weights that were generated say nothing of images, so their networks take noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import dcz

CALIBRATION = 200
"""Images of a training set that ranges come from."""
CROPS = 100
"""Crops of photos."""
NOISE_CALIBRATION, NOISE_TEST = 8, 8
"""Inputs of noise. Ranges of noise vary little, and the networks that take it are large."""
LEAST_CROP = 0.75
"""Least part of a photo's height and width that a crop takes."""
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """Inputs of a network, each of shape ``(N, *input_shape)``.

    Attributes
    ----------
    calibration, test : ndarray of float32
    truth : ndarray of int64 or None
        The class of each test input, where it is known.
    """

    calibration: Images
    test: Images
    truth: NDArray[np.int64] | None = None

    def batch(self, size: int) -> Images:
        """A batch to time: test inputs, again and again if they are few."""
        return np.ascontiguousarray(np.resize(self.test, (size, *self.test.shape[1:])))


def of_data_set(folder: Path, preprocess: dcz.Preprocess, most: int | None) -> Inputs:
    """Images of a training set to calibrate with, and of its test set, in random order."""
    from dcz.converters.training.data.batches import normalise
    from dcz.converters.training.data.datasets import load_dataset

    data, rng = load_dataset(folder, preprocess), np.random.default_rng(0)
    chosen, order = rng.permutation(len(data.train))[:CALIBRATION], rng.permutation(len(data.test))[:most]

    def inputs(images: NDArray[np.uint8]) -> Images:
        return np.ascontiguousarray(normalise(images, preprocess).numpy())

    return Inputs(inputs(data.train.images[chosen]), inputs(data.test.images[order]), data.test.labels[order])


def of_photos(photos: NDArray[np.uint8], model: dcz.Model) -> Inputs:
    """Photos, and random crops of them to calibrate with, every second one mirrored.

    Parameters
    ----------
    photos : ndarray of uint8, shape (N, H, W, 3)
    model : dcz.Model
        Its preprocessing is applied.
    """
    from PIL import Image

    rng, (height, width), crops = np.random.default_rng(0), photos.shape[1:3], []
    for number in range(CROPS):
        sides = [round(side * rng.uniform(LEAST_CROP, 1)) for side in (height, width)]
        top, left = (int(rng.integers(whole - side + 1)) for whole, side in zip((height, width), sides, strict=True))
        crop = photos[number // 2 % len(photos), top : top + sides[0], left : left + sides[1]]
        crops.append(Image.fromarray(crop[:, :: -1 if number % 2 else 1]).resize((width, height)))
    return Inputs(model.preprocess(crops), model.preprocess(list(photos)))


def of_noise(shape: tuple[int, ...]) -> Inputs:
    """Standard normal inputs of a shape."""
    noise = np.random.default_rng(0).standard_normal((NOISE_CALIBRATION + NOISE_TEST, *shape), dtype=np.float32)
    return Inputs(noise[:NOISE_CALIBRATION], noise[NOISE_CALIBRATION:])
