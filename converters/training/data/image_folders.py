"""Image folders, ``train/CLASS/*`` and ``test/CLASS/*``: checked before a training, decoded during it.

Names that begin with a dot are skipped. Other unused files are reported. An error is raised for anything that would
give wrong classes, or stop the training in a late epoch.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....core.errors import InputError
from ....core.progress import progress
from ....dcformat.preprocess import Preprocess
from ....runtime.vision.images import FORMATS, SUFFIXES, read_file
from ....runtime.vision.pictures import fit_image

log = logging.getLogger(__name__)

PICTURES = frozenset(SUFFIXES) - {".npy"}
NAMED = 3
"""Number of files and classes that a message names; it counts the others."""


@dataclass(frozen=True)
class ImageFiles:
    """Images decoded on access, resized and cropped by the network's preprocessing.

    Attributes
    ----------
    paths : tuple of Path
    preprocess : Preprocess
    """

    paths: tuple[Path, ...]
    preprocess: Preprocess

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Any) -> NDArray[np.uint8]:
        return np.stack([_decode(self.paths[i], self.preprocess) for i in np.arange(len(self))[indices]])

    def subset(self, indices: NDArray[np.int64]) -> ImageFiles:
        """A subset of the images."""
        return ImageFiles(tuple(self.paths[i] for i in indices), self.preprocess)


def _decode(path: Path, preprocess: Preprocess) -> NDArray[np.uint8]:
    """The pixels of images, as the runtime would prepare them."""
    image = read_file(path)
    assert isinstance(image, Image.Image)
    fitted = fit_image(image, preprocess)
    pixels = np.asarray(fitted, dtype=np.uint8).reshape(fitted.height, fitted.width, -1)
    return pixels[:, :, ::-1] if preprocess.mode == "BGR" else pixels


def class_names(folder: Path) -> tuple[str, ...]:
    """Names of the classes, sorted: the folders in ``train``."""
    return tuple(sorted(path.name for path in _entries(folder / "train") if path.is_dir()))


def list_pictures(folder: Path, classes: Sequence[str]) -> dict[str, list[tuple[Path, int]]]:
    """Find the images of both parts, ``train`` and ``test``, and their class numbers.

    Parameters
    ----------
    folder : Path
    classes : sequence of str
        As `class_names` gives them.

    Returns
    -------
    dict of str to list of (Path, int)
        By part; sorted by class, then by name.

    Raises
    ------
    InputError
        A part is missing, a class of the training set has no images, a class is in the test set only, or images cannot
        be read.
    """
    if not classes:
        raise InputError("no class folder", path=folder / "train", expected="a folder of pictures a class")
    parts = {part: _list_part(folder / part, classes) for part in ("train", "test")}
    for part, found in parts.items():
        if not found:
            raise InputError("no pictures in the class folders", path=folder / part, expected=_endings())
    of_training, of_test = ({label for _, label in found} for found in parts.values())
    empty = [folder / "train" / name for label, name in enumerate(classes) if label not in of_training]
    if empty:
        what = "class folders without a picture"
        raise InputError(what, expected=_endings(), found=some(empty), hint="fill or delete them")
    if untested := [name for label, name in enumerate(classes) if label not in of_test]:
        log.warning("%s has no picture of %d classes: %s", folder / "test", len(untested), some(untested))
    _check_readable([path for found in parts.values() for path, _ in found])
    return parts


def _list_part(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, expected="class folders in train and in test")
    unknown = [path.name for path in _entries(folder) if path.is_dir() and path.name not in classes]
    if unknown:
        what = f"classes that {folder.parent / 'train'} has not"
        raise InputError(what, path=folder, expected=some(classes), found=some(unknown))
    found: list[tuple[Path, int]] = []
    left_out = Counter(path.suffix or path.name for path in _entries(folder) if path.is_file())
    for label, name in enumerate(classes):
        for path in _entries(folder / name):
            if path.is_dir():
                left_out["folders in class folders"] += 1
            elif path.suffix.lower() in PICTURES:
                found.append((path, label))
            else:
                left_out[path.suffix or path.name] += 1
    if left_out:
        counts = [f"{name} ({count:,})" for name, count in left_out.most_common()]
        log.warning("%s: left out %s", folder, some(counts))
    return found


def _entries(folder: Path) -> list[Path]:
    """Entries of a folder, sorted, without hidden ones (``.ipynb_checkpoints``, ``._cat.jpg``). None: no entries."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _check_readable(paths: Sequence[Path]) -> None:
    """Read the headers of all images, and name some of the files that are none."""
    problems = []
    for path in progress(paths, "picture", len(paths), "check pictures"):
        try:
            with Image.open(path, formats=FORMATS) as image:
                image.verify()
        except Exception as error:  # decoders raise many kinds of errors on damaged bytes
            problems.append((path, error))
    if problems:
        expected, found = "PNG, JPEG, WebP or BMP", some([path for path, _ in problems])
        what = f"{len(problems):,} of {len(paths):,} pictures cannot be read"
        raise InputError(what, expected=expected, found=found, hint="mend or delete them") from problems[0][1]


def some(things: Sequence[object]) -> str:
    """The first items, and the number of the others, for a message."""
    more = f" and {len(things) - NAMED:,} more" if len(things) > NAMED else ""
    return ", ".join(map(str, things[:NAMED])) + more


def _endings() -> str:
    return ", ".join(suffix for suffix in SUFFIXES if suffix in PICTURES)
