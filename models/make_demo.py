"""Make what ``dcz demo`` ships: a pruned and shared LeNet-5 as a small checkpoint, and ten digits of MNIST's test set.

    python models/make_demo.py lenet5.work/3-share.pt MNIST_FOLDER

The checkpoint is what ``torch.save`` writes, its zip archive compressed: ``torch.load`` reads it all the same.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import torch
from PIL import Image

from dcz.converters.architectures import MNIST
from dcz.converters.training.data.datasets import load_dataset

OUT = Path(__file__).resolve().parent.parent / "dcz" / "data" / "demo"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold: the same bytes each time


def deflate(checkpoint: Path, out: Path) -> None:
    """Rewrite a checkpoint with its zip entries compressed."""
    state = torch.load(checkpoint, weights_only=True)
    stored = io.BytesIO()
    torch.save(state, stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            name = entry.filename.replace("archive/", "lenet5/", 1)
            target.writestr(zipfile.ZipInfo(name, EPOCH), source.read(entry), zipfile.ZIP_DEFLATED, 9)
    again = torch.load(out, weights_only=True)
    assert all(torch.equal(again[name], value) for name, value in state.items())


def digits(folder: Path, out: Path) -> None:
    """Write the first picture of each class of the test set as ``DIGIT-INDEX.png``."""
    test = load_dataset(folder, MNIST).test
    out.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        index = int((test.labels == digit).argmax())
        Image.fromarray(test.images[index : index + 1][0, :, :, 0]).save(
            out / f"{digit}-{index:04d}.png", optimize=True
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("mnist", type=Path)
    arguments = parser.parse_args()
    deflate(arguments.checkpoint, OUT / "lenet5.pt")
    digits(arguments.mnist, OUT / "digits")
