"""Folders of course artefacts: as the pipeline writes them, and spoilt in every part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import dcz
from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.compression.sharing import share_weights
from dcz.converters.training.artefacts import write_artefacts
from dcz.converters.training.constraints import weights_of
from dcz.dcformat import ConversionError, InputError

ARCH = "lenet_300_100"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = ARCHITECTURES[ARCH].factory()
    for weight in weights_of(model).values():
        weight[np.abs(weight) < 0.03] = 0
        weight[...] = share_weights(weight, 2)
    dense = ARCHITECTURES[ARCH].factory()
    networks = {"before_pruning": dense.state_dict(), "after_quantization": model.state_dict()}
    write_artefacts(tmp_path / "set", ARCH, networks, model)
    return tmp_path / "set"


def test_a_folder_is_its_last_network(folder: Path) -> None:
    report = dcz.convert(folder)
    assert report.path == f"{folder}.dcz"
    assert report.lossless
    assert report.info["nodes"] > 0
    assert any("codebook_lenet_300_100.npy, huffman_encoding.npy, huffman_freq.npy" in m for m in report.messages)
    dcz.convert(folder / "net_after_quantization.pt", folder / "alone.dcz")
    assert (folder / "alone.dcz").read_bytes() == Path(report.path).read_bytes()


def test_the_huffman_tables_may_be_missing(folder: Path) -> None:
    for path in folder.glob("huffman*"):
        path.unlink()
    assert dcz.convert(folder).lossless


def change(name: str, column: str, row: int, value: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        table = np.load(folder / name)
        table[column][row] = value
        np.save(folder / name, table)

    return spoil


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, np.load(folder / name)[1:])


def objects(folder: Path) -> None:
    np.save(folder / "huffman_freq.npy", np.array([{"fc1": 3}], dtype=object), allow_pickle=True)


CODES = f"codebook_{ARCH}.npy"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "net_after_quantization.pt").unlink(), "set: is a directory without"),
        (lambda f: (f / CODES).unlink(), r"set: the network's codebook.*expected codebook_\*\.npy, found none"),
        (lambda f: np.save(f / "codebook_b.npy", np.zeros(1)), f"set: the network's codebook.*codebook_b.npy, {CODES}"),
        (
            lambda f: (f / "net_after_quantization.pt").write_bytes(b"x"),
            r"net_after_quantization\.pt: not a checkpoint",
        ),
        (lambda f: (f / CODES).write_bytes(b"x"), f"{CODES}: not a .npy file of plain records"),
        (
            lambda f: np.save(f / CODES, np.zeros(3)),
            f"{CODES}: not the table .*expected records of layer, value, found",
        ),
        (objects, r"huffman_freq\.npy: not a \.npy file of plain records"),
        (change(CODES, "value", 0, 9.0), f"{CODES}: .* centroid .*layer 'fc1.weight', value"),
        (change(CODES, "layer", 0, "other"), f"{CODES}: holds a centroid .*does not .*layer 'other'|lacks a centroid"),
        (cut(CODES), f"{CODES}: lacks a centroid of .*layer 'fc1.weight', value"),
        (cut("huffman_encoding.npy"), r"huffman_encoding\.npy: lacks a centroid"),
        (change("huffman_freq.npy", "count", 2, 1), r"huffman_freq\.npy: .*count 1\b|huffman_freq\.npy: lacks .*count"),
    ],
)
def test_parts_that_are_missing_or_disagree(folder: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(folder)
    with pytest.raises(ConversionError, match=says):
        dcz.convert(folder, folder.with_name("out.dcz"))
    assert not folder.with_name("out.dcz").exists()


def test_no_part_is_overwritten(folder: Path) -> None:
    with pytest.raises(InputError, match="take the place"):
        dcz.convert(folder, folder / CODES)
