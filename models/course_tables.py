"""The experiments of the course re-implementations, on this code: accuracy against pruning, bits and initialisation.

    python models/course_tables.py resnet20_cifar resnet20.th CIFAR10_FOLDER --retrain 1 --work rows.json > tables.md

Accuracies are of the whole test set; after retraining too, for as many epochs as `--retrain` says, with L2 and without.
What is measured already stands in the file that `--work` names, and is not measured again.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.compression.clustering import INITS
from dcz.converters.compression.pruning import PruneRule, threshold_mask
from dcz.converters.compression.sharing import share_weights
from dcz.converters.training.checkpoints import digest, load_checkpoint
from dcz.converters.training.constraints import Masks, nonzero_masks, weights_of
from dcz.converters.training.data.datasets import Dataset, load_dataset
from dcz.converters.training.training import Settings, evaluate, train

RULES = [PruneRule("std", s) for s in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)]
RULES += [PruneRule("percent", q) for q in (0.0, 25.0, 50.0, 75.0)]
BITS = range(2, 9)
L2 = 5e-4


class Experiment:
    """A trained network and its test set; every measurement starts from the same weights.

    Parameters
    ----------
    arch, checkpoint, data
        The network, its dense weights, and the folder of its data set.
    epochs : int
        Of retraining after pruning; 0 for none.
    work : Path, optional
        Where accuracies are kept.
    """

    def __init__(self, arch: str, checkpoint: Path, data: Path, epochs: int, work: Path | None) -> None:
        self.architecture = ARCHITECTURES[arch]
        self.model = self.architecture.factory()
        load_checkpoint(self.model, arch, checkpoint)
        assert self.architecture.preprocess is not None
        self.preprocess = self.architecture.preprocess
        self.data: Dataset = load_dataset(data, self.preprocess)
        self.epochs = epochs
        self.work = work
        self.network = f"{arch} {digest(self.model.state_dict())[:12]}"
        self.known: dict[str, str] = json.loads(work.read_text()) if work is not None and work.exists() else {}

    def accuracy(self, title: str, make: Callable[[], nn.Module]) -> str:
        """Test accuracy in percent of the network that `make` gives, kept under `title` for this network."""
        title = f"{self.network}: {title}"
        if title not in self.known:
            self.known[title] = f"{100 * evaluate(make(), self.data.test, self.preprocess).accuracy:.2f}"
            if self.work is not None:
                self.work.write_text(json.dumps(self.known, indent=1))
        return self.known[title]

    def pruned(self, rule: PruneRule) -> nn.Module:
        """The network with the weights below the rule's thresholds at zero."""
        model = copy.deepcopy(self.model)
        for weight in weights_of(model).values():
            weight[~threshold_mask(weight, rule)] = 0
        return model

    def retrained(self, rule: PruneRule, weight_decay: float) -> nn.Module:
        """The pruned network after retraining."""
        model = self.pruned(rule)
        settings = Settings(
            epochs=self.epochs, lr=0.01, schedule="cosine", augment="cifar", bf16=True, weight_decay=weight_decay
        )
        train(model, self.data.train, self.preprocess, settings, constraint=Masks(nonzero_masks(model)))
        return model

    def pruning_row(self, rule: PruneRule) -> list[str]:
        """Sparsity, and accuracy before and, where asked for, after retraining."""
        weights = list(weights_of(self.pruned(rule)).values())
        sparsity = 1 - sum(np.count_nonzero(w) for w in weights) / sum(w.size for w in weights)
        row = [str(rule), f"{100 * sparsity:.2f}", self.accuracy(str(rule), lambda: self.pruned(rule))]
        for decay in (L2, 0.0) if self.epochs else ():
            title = f"{rule}, {self.epochs} epochs, L2 {decay:g}"
            row.append(self.accuracy(title, partial(self.retrained, rule, decay)) if rule.amount else "")
        return row

    def shared(self, bits: int, init: str, method: str) -> str:
        """Accuracy with every layer's weights shared."""

        def make() -> nn.Module:
            model = copy.deepcopy(self.model)
            for weight in weights_of(model).values():
                weight[...] = share_weights(weight, bits, init, method=method)
            return model

        return self.accuracy(f"{bits} bits, {init}, {method}", make)

    def tables(self) -> Iterator[str]:
        """Every line of the report, as it is measured."""
        yield from table(["bits", "accuracy, %"], ([str(bits), self.shared(bits, "linear", "kmeans")] for bits in BITS))
        ways = [(init, "kmeans") for init in INITS] + [("linear", "exact")]
        yield from table(
            ["at 4 bits", "accuracy, %"],
            ([method if method != "kmeans" else init, self.shared(4, init, method)] for init, method in ways),
        )
        after = [f"after {self.epochs} epochs, L2 {L2:g}", "without L2"] if self.epochs else []
        yield from table(["rule", "sparsity, %", "accuracy, %", *after], (self.pruning_row(rule) for rule in RULES))


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
    parser.add_argument("--work", metavar="FILE.json", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    of = Experiment(arguments.arch, arguments.checkpoint, arguments.data, arguments.retrain, arguments.work)
    for line in of.tables():
        print(line)
        sys.stdout.flush()
