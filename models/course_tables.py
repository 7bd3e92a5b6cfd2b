"""The experiments of the course re-implementations, on this code: accuracy against pruning, bits and initialisation.

    python models/course_tables.py resnet20_cifar resnet20.th CIFAR10_FOLDER > tables.md

Accuracies are of the whole test set, before any retraining; `--retrain EPOCHS` adds them after it.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.compression.checkpoints import load_checkpoint
from dcz.converters.compression.clustering import INITS
from dcz.converters.compression.constraints import Masks, nonzero_masks, weights_of
from dcz.converters.compression.datasets import Dataset, load_dataset
from dcz.converters.compression.pruning import PruneRule, threshold_mask
from dcz.converters.compression.sharing import share_weights
from dcz.converters.compression.training import Settings, evaluate, train

STDS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
PERCENTS = (0.0, 25.0, 50.0, 75.0)
BITS = range(2, 9)


class Experiment:
    """A trained network and its test set; every measurement starts from the same weights."""

    def __init__(self, arch: str, checkpoint: Path, data: Path, epochs: int) -> None:
        self.architecture = ARCHITECTURES[arch]
        self.model = self.architecture.factory()
        load_checkpoint(self.model, arch, checkpoint)
        assert self.architecture.preprocess is not None
        self.preprocess = self.architecture.preprocess
        self.data: Dataset = load_dataset(data, self.preprocess)
        self.epochs = epochs

    def accuracy(self, model: nn.Module) -> str:
        """Test accuracy in percent."""
        return f"{100 * evaluate(model, self.data.test, self.preprocess).accuracy:.2f}"

    def pruned(self, rule: PruneRule) -> list[str]:
        """Sparsity, accuracy before and, where asked for, after retraining."""
        model = copy.deepcopy(self.model)
        for weight in weights_of(model).values():
            weight[~threshold_mask(weight, rule)] = 0
        weights = list(weights_of(model).values())
        sparsity = 1 - sum(np.count_nonzero(w) for w in weights) / sum(w.size for w in weights)
        row = [str(rule), f"{100 * sparsity:.2f}", self.accuracy(model)]
        if self.epochs:
            settings = Settings(epochs=self.epochs, lr=0.01, schedule="cosine", augment="cifar", bf16=True)
            train(model, self.data.train, self.preprocess, settings, constraint=Masks(nonzero_masks(model)))
            row.append(self.accuracy(model))
        return row

    def shared(self, bits: int, init: str, method: str) -> str:
        """Accuracy with every layer's weights shared."""
        model = copy.deepcopy(self.model)
        for weight in weights_of(model).values():
            weight[...] = share_weights(weight, bits, init, method=method)
        return self.accuracy(model)

    def tables(self) -> Iterator[str]:
        """Every line of the report, as it is measured."""
        after = ["after retraining"] if self.epochs else []
        yield from table(
            ["rule", "sparsity, %", "accuracy, %", *after],
            (
                self.pruned(PruneRule(kind, s))
                for kind, amounts in (("std", STDS), ("percent", PERCENTS))
                for s in amounts
            ),
        )
        yield from table(["bits", "accuracy, %"], ([str(bits), self.shared(bits, "linear", "kmeans")] for bits in BITS))
        ways = [(init, "kmeans") for init in INITS] + [("linear", "exact")]
        yield from table(
            ["at 4 bits", "accuracy, %"],
            ([method if method != "kmeans" else init, self.shared(4, init, method)] for init, method in ways),
        )


def table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arch", choices=sorted(ARCHITECTURES))
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--retrain", metavar="EPOCHS", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for line in Experiment(arguments.arch, arguments.checkpoint, arguments.data, arguments.retrain).tables():
        print(line)
        sys.stdout.flush()
