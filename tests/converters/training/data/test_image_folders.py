"""Image folders: what becomes a class and a picture, what is told, and what is refused before a training."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcz.converters.architectures import CIFAR10
from dcz.converters.training.data.batches import normalise
from dcz.converters.training.data.datasets import load_dataset
from dcz.dcformat import InputError, Preprocess
from dcz.runtime.vision.images import Inputs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Cats and dogs, two pictures each, in both parts."""
    for part in ("train", "test"):
        for name in ("cats", "dogs"):
            for number in range(2):
                picture(tmp_path / part / name / f"{number}.png")
    return tmp_path


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, format="png")


def test_image_folders(tmp_path: Path) -> None:
    colours = {"cats": (200, 10, 0), "dogs": (0, 20, 250)}
    for part in ("train", "test"):
        for name, colour in colours.items():
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (40, 20 + i), colour).save(tmp_path / part / name / f"{i}.png")
    preprocess = Preprocess(mode="BGR", resize=16, crop=(12, 8))
    train, validation = load_dataset(tmp_path, preprocess).hold_out(2)
    assert (len(train), len(validation)) == (4, 2)
    assert train.images[1:3].shape == (2, 12, 8, 3)
    for image, label in zip(train.images[:], train.labels, strict=True):
        assert tuple(image[5, 5, ::-1]) == list(colours.values())[label]
    assert load_dataset(tmp_path, preprocess).classes == ("cats", "dogs")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", [15, (9, 14)])
def test_pictures_are_those_that_the_runtime_sees(
    tmp_path: Path, interpolation: str, resize: int | tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (37, 23, 4), dtype=np.uint8)  # transparency, and a picture on its side
    tag = Image.Exif()
    tag[0x0112] = 6
    for part in ("train", "test"):
        (tmp_path / part / "noise").mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / part / "noise" / "a.png", exif=tag)
    preprocess = Preprocess(resize=resize, crop=(8, 12), interpolation=interpolation)
    seen = next(Inputs(preprocess, (3, 8, 12)).samples([tmp_path / "test" / "noise" / "a.png"]))[1]
    learned = normalise(load_dataset(tmp_path, preprocess).test.images[:], preprocess)
    assert np.array_equal(learned[0].numpy(), seen)


def test_files_that_cannot_be_pictures_are_passed_over(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part / "cats").mkdir(parents=True)
        for name in ("a.PNG", "b.ppm", "c.npy", "d.txt"):
            Image.new("RGB", (4, 4)).save(tmp_path / part / "cats" / name, format="png")
    assert len(load_dataset(tmp_path, CIFAR10).train.images) == 1


def test_what_is_hidden_is_no_class_and_no_picture(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(folder / "train" / ".ipynb_checkpoints" / "0.png")
    picture(folder / "test" / ".ipynb_checkpoints" / "0.png")
    (folder / "train" / "cats" / "._0.png").write_bytes(b"Mac OS X")
    (folder / "test" / ".DS_Store").write_bytes(b"Mac OS X")
    dataset = load_dataset(folder, CIFAR10)
    assert dataset.classes == ("cats", "dogs")
    assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0, 0, 1, 1]
    assert caplog.messages == []


def test_what_is_left_out_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(folder / "train" / "cats" / "more" / "0.png")
    for name in ("0.gif", "1.gif"):
        (folder / "train" / "dogs" / name).write_bytes(b"GIF89a")
    (folder / "test" / "list.txt").write_text("0.png")
    for path in (folder / "test" / "dogs").iterdir():
        path.unlink()
    with caplog.at_level(logging.WARNING, logger="dcz"):
        dataset = load_dataset(folder, CIFAR10)
    assert (len(dataset.train), len(dataset.test)) == (4, 2)
    assert caplog.messages == [
        f"{folder / 'train'}: left out .gif (2), folders in class folders (1)",
        f"{folder / 'test'}: left out .txt (1)",
        f"{folder / 'test'} has no picture of 1 classes: dogs",
    ]


def test_classes_without_a_meaning_are_refused(folder: Path) -> None:
    for name in ("ants", "bats", "cows", "eels"):
        (folder / "test" / name).mkdir()
    with pytest.raises(
        InputError, match=r"test: classes that .*train has not .*cats, dogs.*ants, bats, cows and 1 more"
    ):
        load_dataset(folder, CIFAR10)
    (folder / "train" / "ants" / "more").mkdir(parents=True)
    for name in ("bats", "cows", "eels"):
        (folder / "test" / name).rmdir()
    with pytest.raises(InputError, match=r"class folders without a picture \(.*png.*train/ants\)"):
        load_dataset(folder, CIFAR10)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (["train/cats", "train/dogs"], r"train: no class folder"),
        (["test/cats", "test/dogs"], r"test: no pictures in the class folders"),
        (["test/cats", "test/dogs", "test"], r"test: no such folder"),
    ],
)
def test_parts_that_are_missing_are_named(folder: Path, missing: list[str], message: str) -> None:
    for name in missing:
        for path in (folder / name).iterdir():
            path.unlink()
        (folder / name).rmdir()
    with pytest.raises(InputError, match=message):
        load_dataset(folder, CIFAR10)


def test_pictures_that_cannot_be_read_are_named_before_anything_is_decoded(folder: Path) -> None:
    (folder / "test" / "dogs" / "0.png").write_bytes(b"no picture")
    sound = (folder / "train" / "cats" / "1.png").read_bytes()
    (folder / "train" / "cats" / "1.png").write_bytes(sound[:-20])
    (folder / "train" / "dogs" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"3 of 8 pictures cannot be read .*cats/1\.png, .*dogs/1\.png, .*dogs/0\.png"):
        load_dataset(folder, CIFAR10)
