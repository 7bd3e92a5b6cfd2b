"""Data sets in their published forms, read from a folder into memory.

MNIST (idx files, plain or gzip), CIFAR-10 (python or binary batches, or one lossless .npz a split), and folders of
images (``train/CLASS/*`` and ``test/CLASS/*``), whose pictures are decoded on access.
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....core.errors import InputError
from ....dcformat.preprocess import Preprocess
from .image_folders import ImageFiles, class_names, list_pictures

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


class Images(Protocol):
    """Images by index: an ndarray of uint8 (N, H, W, C), or an object that behaves like one."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Any) -> U8: ...


@dataclass(frozen=True)
class Split:
    """Images, and the class of each.

    Attributes
    ----------
    images : Images
        (N, H, W, C) uint8.
    labels : ndarray of int64, shape (N,)
    """

    images: Images
    labels: I64

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A training set and a test set.

    Attributes
    ----------
    name : str
        "mnist", "cifar10" or "image folders".
    train, test : Split
    classes : tuple of str
        Names of the classes in order, if the folder has them; otherwise empty.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for split in (self.train, self.test):
            if len(split.images) != len(split.labels):
                what = "the data set has not one label a picture"
                raise InputError(what, expected=f"{len(split.images)} labels", found=len(split.labels))

    def hold_out(self, count: int, seed: int = 0) -> tuple[Split, Split]:
        """Split the training set at random: (images to train on, `count` held-out images for choices)."""
        if not 0 < count < len(self.train):
            expected = f"1 to {len(self.train) - 1}"
            raise InputError("validation split does not fit the training set", expected=expected, found=count)
        order = np.random.default_rng(seed).permutation(len(self.train))
        return _subset(self.train, np.sort(order[count:])), _subset(self.train, np.sort(order[:count]))


def load_dataset(folder: str | Path, preprocess: Preprocess) -> Dataset:
    """Read the data set in a folder, of any known kind.

    Parameters
    ----------
    folder : str or Path
    preprocess : Preprocess
        Its mode and sizes are applied to the images of image folders; other data sets are read unchanged.

    Raises
    ------
    InputError
        The folder holds no known data set, or a file cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("no such folder", path=folder)
    for kind, (is_here, load) in _LOADERS.items():
        if is_here(folder):
            try:
                train, test = load(folder, preprocess)
                classes = class_names(folder) if load is _load_folders else ()
                return Dataset("cifar10" if kind.startswith("CIFAR") else kind.lower(), train, test, classes)
            except InputError as error:
                raise error.at(folder) from error.__cause__
            except Exception as error:  # decoders and unpicklers raise many kinds of errors on damaged bytes
                raise InputError(f"cannot read this folder as {kind}: {error}", path=folder) from error
    raise InputError(
        "no data set in this folder",
        path=folder,
        expected="MNIST idx files, CIFAR-10 batches or npz, or train/CLASS and test/CLASS folders of images",
    )


def _subset(split: Split, indices: I64) -> Split:
    images = split.images
    chosen = images.subset(indices) if isinstance(images, ImageFiles) else images[indices]
    return Split(chosen, split.labels[indices])


# MNIST ----------------------------------------------------------------------------------------------------------------


def _find(folder: Path, stem: str) -> Path | None:
    names = (stem, f"{stem}.gz", stem.replace("-idx", ".idx"), stem.replace("-idx", ".idx") + ".gz")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_idx(folder: Path, stem: str) -> U8:
    path = _find(folder, stem)
    if path is None:
        raise FileNotFoundError(f"no {stem} (or .gz)")
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    zero, kind, axes = struct.unpack_from(">HBB", data)
    if zero != 0 or kind != 8:
        raise ValueError(f"{path.name} is no idx file of bytes")
    shape = struct.unpack_from(f">{axes}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _load_mnist(folder: Path, preprocess: Preprocess) -> tuple[Split, Split]:
    train, test = (
        Split(
            _read_idx(folder, f"{part}-images-idx3-ubyte")[..., None],
            _labels(_read_idx(folder, f"{part}-labels-idx1-ubyte")),
        )
        for part in ("train", "t10k")
    )
    return train, test


# CIFAR-10 -------------------------------------------------------------------------------------------------------------

TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))


_GLOBALS_OF_ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickler for dicts of arrays and nothing else: the python batches are pickles, and pickles can run code."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every global that an array does not need."""
        if (module, name) not in _GLOBALS_OF_ARRAYS:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}")
        return super().find_class(module, name)


def _python_batch(path: Path) -> tuple[U8, I64]:
    batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    return _planes_last(np.asarray(batch[b"data"], dtype=np.uint8)), _labels(batch[b"labels"])


def _binary_batch(path: Path) -> tuple[U8, I64]:
    rows = np.fromfile(path, np.uint8).reshape(-1, 1 + 3072)
    return _planes_last(rows[:, 1:]), _labels(rows[:, 0])


def _planes_last(rows: U8) -> U8:
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _join(read: Callable[[Path], tuple[U8, I64]], paths: list[Path]) -> Split:
    images, labels = zip(*map(read, paths), strict=True)
    return Split(np.concatenate(images), np.concatenate(labels))


def _load_cifar_python(folder: Path, preprocess: Preprocess) -> tuple[Split, Split]:
    return _join(_python_batch, [folder / n for n in TRAIN_BATCHES]), _join(_python_batch, [folder / "test_batch"])


def _load_cifar_binary(folder: Path, preprocess: Preprocess) -> tuple[Split, Split]:
    train, test = ([folder / f"{name}.bin" for name in names] for names in (TRAIN_BATCHES, ("test_batch",)))
    return _join(_binary_batch, train), _join(_binary_batch, test)


def _read_npz(path: Path) -> Split:
    """A split with the arrays `delta` (3, N, 32, 32) and `labels`: each pixel minus its left and upper neighbours."""
    with np.load(path, allow_pickle=False) as file:
        planes = np.cumsum(np.cumsum(file["delta"], axis=3, dtype=np.uint8), axis=2, dtype=np.uint8)
        labels = _labels(file["labels"])
    planes[0] += planes[1]  # red and blue are stored as differences from green
    planes[2] += planes[1]
    return Split(np.ascontiguousarray(planes.transpose(1, 2, 3, 0)), labels)


def _load_cifar_npz(folder: Path, preprocess: Preprocess) -> tuple[Split, Split]:
    return _read_npz(folder / "cifar10_train.npz"), _read_npz(folder / "cifar10_test.npz")


# Image folders --------------------------------------------------------------------------------------------------------


def _load_folders(folder: Path, preprocess: Preprocess) -> tuple[Split, Split]:
    parts = list_pictures(folder, class_names(folder))
    train, test = (
        Split(ImageFiles(tuple(path for path, _ in found), preprocess), _labels([label for _, label in found]))
        for found in (parts["train"], parts["test"])
    )
    return train, test


def _labels(values: Any) -> I64:
    return np.asarray(values, dtype=np.int64)


Loader = Callable[[Path, Preprocess], tuple[Split, Split]]

_LOADERS: dict[str, tuple[Callable[[Path], bool], Loader]] = {
    "MNIST": (lambda folder: _find(folder, "train-images-idx3-ubyte") is not None, _load_mnist),
    "CIFAR-10 python batches": (lambda folder: (folder / "data_batch_1").is_file(), _load_cifar_python),
    "CIFAR-10 binary batches": (lambda folder: (folder / "data_batch_1.bin").is_file(), _load_cifar_binary),
    "CIFAR-10 npz": (lambda folder: (folder / "cifar10_train.npz").is_file(), _load_cifar_npz),
    "image folders": (lambda folder: (folder / "train").is_dir(), _load_folders),
}
