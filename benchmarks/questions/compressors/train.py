"""Train ResNet-20 with one tool, in a process of its own: ``python -m benchmarks.questions.compressors.train``.

All tools get the same network, pictures, order, augmentation, optimiser and number of steps. The first half of the
steps prunes; the second shares or quantises. Each half ends with a learning rate of zero.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.training.checkpoints import load_checkpoint
from dcz.converters.training.data.batches import ordered_batches, training_batches
from dcz.converters.training.data.datasets import load_dataset

from .tools import TOOLS, Answer, Tool

ARCHITECTURE = ARCHITECTURES["resnet20_cifar"]
BATCH, RATE, MOMENTUM, DECAY = 128, 0.02, 0.9, 1e-4
CALIBRATION = 256
Batches = Iterator[tuple[Tensor, Tensor]]


def main(name: str, data: str, checkpoint: str, folder: str, steps: str) -> None:
    """Train, ship, and answer the test set; what was found goes to ``row.json`` in the folder."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dataset, work = load_dataset(data, ARCHITECTURE.preprocess), Path(folder)
    network = ARCHITECTURE.factory()
    load_checkpoint(network, ARCHITECTURE, checkpoint)
    tool, begun = TOOLS[name](), time.process_time()
    _, sample = dataset.hold_out(CALIBRATION, seed=1)  # the files go by class
    images, _ = next(ordered_batches(sample, ARCHITECTURE.preprocess, CALIBRATION))
    half = int(steps) // 2

    def batches(phase: int) -> Batches:
        for epoch in range(phase * half, (phase + 1) * half):
            yield from training_batches(dataset.train, ARCHITECTURE.preprocess, BATCH, "cifar", (0, epoch))

    model = tool.prune(network.train(), half)
    train(model, tool, batches(0), half)
    model = tool.share(model, images)
    train(model, tool, batches(1), half)
    trained = time.process_time() - begun
    files = tool.ship(model, images, work)
    test = torch.cat([batch for batch, _ in ordered_batches(dataset.test, ARCHITECTURE.preprocess)])
    truth = np.concatenate([labels.numpy() for _, labels in ordered_batches(dataset.test, ARCHITECTURE.preprocess)])
    run = tool.load(work)
    answers = answers_of(run, test) if run else module_answers(model, test)
    row = {
        "versions": {package: import_module(package).__version__ for package in tool.packages},
        "ships": tool.ships,
        "steps": 2 * half,
        "bytes": sum(size_of(file) for file in files),
        "top1": float((answers.argmax(1) == truth).mean()),
        "training_s": round(trained),
        "runs_here": run is not None,
    }
    (work / "row.json").write_text(json.dumps(row))


def train(model: nn.Module, tool: Tool, batches: Batches, steps: int) -> None:
    """One phase: SGD, whose learning rate falls to zero as a cosine."""
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, nesterov=True, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    model.train()
    for images, labels in islice(batches, steps):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        tool.step()


def answers_of(run: Answer, test: Tensor) -> NDArray[np.float32]:
    """Answers of a runtime, sample by sample, as it is timed."""
    return np.concatenate([np.array(run(image[None])) for image in test.contiguous().numpy()])


@torch.no_grad()
def module_answers(model: nn.Module, test: Tensor) -> NDArray[np.float32]:
    """Answers of the trained module."""
    answers: NDArray[np.float32] = torch.cat([model.eval()(batch) for batch in test.split(500)]).numpy()
    return answers


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


if __name__ == "__main__":
    main(*sys.argv[1:])
