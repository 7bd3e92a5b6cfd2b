"""Data sets in the forms their authors publish, written here by hand and read back."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dcz.converters.architectures import CIFAR10, MNIST
from dcz.converters.training.data.datasets import load_dataset
from dcz.dcformat import InputError

RNG = np.random.default_rng(0)


def pictures(count: int, size: int, channels: int) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, (count, size, size, channels), dtype=np.uint8)


def write_idx(path: Path, array: NDArray[np.uint8], zipped: bool) -> None:
    data = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.with_name(path.name + ".gz" * zipped).write_bytes(gzip.compress(data) if zipped else data)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dot", ["-", "."])
def test_mnist(tmp_path: Path, zipped: bool, dot: str) -> None:
    expected = {}
    for part, count in (("train", 7), ("t10k", 3)):
        expected[part] = images, labels = pictures(count, 28, 1)[..., 0], np.arange(count, dtype=np.uint8)
        write_idx(tmp_path / f"{part}-images{dot}idx3-ubyte", images, zipped)
        write_idx(tmp_path / f"{part}-labels{dot}idx1-ubyte", labels, zipped)
    dataset = load_dataset(tmp_path, MNIST)
    assert dataset.name == "mnist"
    for split, part in ((dataset.train, "train"), (dataset.test, "t10k")):
        assert np.array_equal(split.images[:][..., 0], expected[part][0])
        assert np.array_equal(split.labels, expected[part][1])


def cifar_rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def make_cifar(folder: Path, form: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = pictures(12, 32, 3), (np.arange(12) % 10).astype(np.uint8)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for number, name in enumerate(names):
        rows, own = cifar_rows(images[2 * number : 2 * number + 2]), labels[2 * number : 2 * number + 2]
        if form == "python":
            (folder / name).write_bytes(pickle.dumps({b"data": rows, b"labels": own.tolist()}, protocol=2))
        else:
            (folder / f"{name}.bin").write_bytes(np.concatenate((own[:, None], rows), axis=1).tobytes())
    return images, labels


@pytest.mark.parametrize("form", ["python", "binary"])
def test_cifar_batches(tmp_path: Path, form: str) -> None:
    images, labels = make_cifar(tmp_path, form)
    dataset = load_dataset(tmp_path, CIFAR10)
    assert dataset.name == "cifar10"
    assert np.array_equal(dataset.train.images[:], images[:10])
    assert np.array_equal(dataset.test.images[:], images[10:])
    assert np.array_equal(dataset.train.labels, labels[:10])


def test_cifar_npz(tmp_path: Path) -> None:
    images = pictures(4, 32, 3)
    planes = images.transpose(3, 0, 1, 2).copy()
    planes[0] -= planes[1]
    planes[2] -= planes[1]
    delta = np.diff(np.diff(planes, axis=2, prepend=np.uint8(0)), axis=3, prepend=np.uint8(0))
    for part in ("train", "test"):
        np.savez(tmp_path / f"cifar10_{part}.npz", delta=delta, labels=np.arange(4))
    assert np.array_equal(load_dataset(tmp_path, CIFAR10).train.images[:], images)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("gotcha",))


def test_a_batch_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_cifar(tmp_path, "python")
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({b"data": Evil(), b"labels": []}, protocol=2))
    with pytest.raises(InputError, match="refused to load"):
        load_dataset(tmp_path, CIFAR10)
    assert capsys.readouterr().out == ""


def test_hold_out_is_disjoint_and_seeded(tmp_path: Path) -> None:
    make_cifar(tmp_path, "binary")
    dataset = load_dataset(tmp_path, CIFAR10)
    train, validation = dataset.hold_out(3, seed=1)
    rows = {image.tobytes() for image in (*train.images[:], *validation.images[:])}
    assert len(rows) == 10
    assert np.array_equal(validation.images[:], dataset.hold_out(3, seed=1)[1].images[:])
    with pytest.raises(InputError, match="expected 1 to 9, found 10"):
        dataset.hold_out(10)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set in this folder"):
        load_dataset(tmp_path, MNIST)
    with pytest.raises(InputError, match="no such folder"):
        load_dataset(tmp_path / "nowhere", MNIST)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train-images-idx3-ubyte.gz", gzip.compress(bytes(100))[:-20] + bytes(12)),
        ("cifar10_train.npz", b"PK no archive"),
        ("data_batch_1", b"\x80\x02}q\x00."),
        ("data_batch_1", b"0"),
    ],
)
def test_damaged_files_name_the_folder(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{tmp_path}.*cannot read this folder"):
        load_dataset(tmp_path, CIFAR10)


def test_one_label_a_picture(tmp_path: Path) -> None:
    make_cifar(tmp_path, "python")
    batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(InputError, match="not one label a picture"):
        load_dataset(tmp_path, CIFAR10)


def test_damaged_idx_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    with pytest.raises(InputError, match=f"{tmp_path}.*MNIST"):
        load_dataset(tmp_path, MNIST)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    make_cifar(tmp_path, "binary")
    (tmp_path / "test_batch.bin").unlink()
    with pytest.raises(InputError, match=r"test_batch\.bin"):
        load_dataset(tmp_path, CIFAR10)
