"""Your own network in your own training loop: train it, prune it, share its weights, convert it.

    python examples/own_network.py PICTURES digits.dcz

PICTURES holds ``train/CLASS/*.png`` and ``test/CLASS/*.png``, gray and of 28 x 28 pixels: MNIST as pictures, say.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import dcz
from dcz.compression import Pruner, Sharer

EPOCHS = (6, 8, 2)  # dense, while the network is pruned, with shared weights


def network() -> nn.Module:
    """A small network; put yours here."""
    first = nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2))
    second = nn.Sequential(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(first, second, nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10))


def pictures(folder: Path) -> tuple[Tensor, Tensor]:
    """Pictures of shape ``(N, 1, 28, 28)``, from 0 to 1, and the number of each one's class."""
    paths = sorted(folder.glob("*/*.png"))
    classes = sorted({path.parent.name for path in paths})
    pixels = np.stack([np.asarray(Image.open(path), np.float32) for path in paths])
    return torch.from_numpy(pixels[:, None] / 255), torch.tensor([classes.index(path.parent.name) for path in paths])


def compress(folder: Path, out: Path, epochs: tuple[int, int, int] = EPOCHS) -> None:
    """Train the network on the pictures in ``folder/train``, compress it and say what that cost."""
    torch.manual_seed(0)
    images, labels = pictures(folder / "train")
    unseen, answers = pictures(folder / "test")
    model = network()
    optimizer = torch.optim.Adam(model.parameters())

    def train(epochs: int, lr: float, compressor: Pruner | Sharer | None = None) -> None:
        optimizer.param_groups[0]["lr"] = lr
        for _ in range(epochs):
            for batch in torch.randperm(len(images)).split(128):
                optimizer.zero_grad()
                cross_entropy(model(images[batch]), labels[batch]).backward()
                optimizer.step()
                if compressor is not None:
                    compressor.step()

    train(epochs[0], 1e-3)
    with torch.no_grad():
        dense = torch.cat([model(x).argmax(1) for x in unseen.split(500)])
    half = epochs[1] * len(images) // 128 // 2
    train(epochs[1], 1e-3, Pruner(0.08, end=half).attach(model, optimizer))  # 8 % of the weights stay
    train(epochs[2], 2e-4, Sharer("conv=5,fc=4", grid=8).attach(model))  # 32 values a convolution, 16 a linear layer
    as_trained = dcz.Preprocess("L", resize=(28, 28), mean=(0.0,), std=(1.0,))
    info = dcz.convert(model.eval(), out, input_shape=(1, 28, 28), preprocess=as_trained).info
    small = dcz.load(out)(unseen.numpy()).argmax(1)
    for size, found in ((info["dense_bytes"], dense.numpy()), (info["file_bytes"], small)):
        print(f"{size:,} bytes, {np.mean(found == answers.numpy()):.2%} of the test pictures right")


if __name__ == "__main__":
    compress(Path(sys.argv[1]), Path(sys.argv[2]))
