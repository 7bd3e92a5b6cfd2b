"""Accuracy: every container of ``models/``, and the demo's LeNet-5, on its test set.

The same images run through our runtime and through the container's network in torch. Test sets are not in the
repository: ``--mnist``, ``--cifar10`` and ``--imagenet`` name their folders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

import dcz

from ..networks import newer
from ..suite import HERE, Benchmark, Options, Row, Table

DEMO = HERE.parent / "dcz" / "data" / "demo" / "lenet5.pt"
BATCH = 100
QUICK_PICTURES = 1000


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    demo = options.work / "lenet5-demo.dcz"
    if not newer(demo, DEMO):
        options.work.mkdir(parents=True, exist_ok=True)
        dcz.convert(DEMO, demo)
    return {path.name: partial(measure, path, options) for path in (demo, *sorted(options.models.glob("*.dcz")))}


def measure(path: Path, options: Options) -> list[Row]:
    """Score one container; without its test set, a row with the reason."""
    with dcz.open(path) as container:
        preprocess, labels, file_bytes = container.preprocess, container.labels, container.file_bytes
    model = dcz.load(path, threads=options.threads)
    name = data_set_of(labels, model.input_shape)
    row: Row = {"model": path.name, "data": name, "file_bytes": file_bytes}
    folder = getattr(options, name) if name else None
    if folder is None or preprocess is None:
        return [row | {"not_run": f"give its test set: --{name} FOLDER" if name else "no known test set"}]

    from dcz.converters.torch.baseline import dense_module
    from dcz.converters.training.data.batches import ordered_batches
    from dcz.converters.training.data.datasets import load_dataset

    dense = dense_module(path)
    right = torch_right = agree = seen = 0
    difference = largest = 0.0
    for pictures, truth in ordered_batches(load_dataset(folder, preprocess).test, preprocess):
        batch = np.ascontiguousarray(pictures.numpy())
        logits, torch_logits = model(batch), dense(pictures.contiguous()).numpy()
        difference = max(difference, float(np.abs(logits - torch_logits).max()))
        largest = max(largest, float(np.abs(torch_logits).max()))
        ours, theirs = logits.argmax(1), torch_logits.argmax(1)
        right += int((ours == truth.numpy()).sum())
        torch_right += int((theirs == truth.numpy()).sum())
        agree += int((ours == theirs).sum())
        seen += len(batch)
        if options.quick and seen >= QUICK_PICTURES:
            break
    scores = {"top1": right / seen, "torch_top1": torch_right / seen, "agree": agree / seen}
    scores["logit_error"] = difference / largest
    return [row | {"pictures": seen, **scores}]


def data_set_of(labels: list[str] | None, shape: tuple[int, ...]) -> str | None:
    """The test set of a network, by its labels; None where it is not known."""
    from dcz.converters.architectures import CIFAR10_LABELS, DIGITS

    if labels is None:
        return None
    known = {DIGITS: "mnist", CIFAR10_LABELS: "cifar10"}
    return known.get(tuple(labels), "imagenet" if len(labels) == 1000 else None)


def tables(rows: list[Row]) -> list[Table]:
    header = ("model", "test set", "pictures", "file bytes", "top-1", "in torch", "same answer", "")
    body = [
        (
            row["model"], row["data"], row.get("pictures"), row["file_bytes"],
            *(f"{row[key]:.2%}" if key in row else None for key in ("top1", "torch_top1", "agree")),
            row.get("not_run", ""),
        )
        for row in rows
    ]  # fmt: skip
    return [Table("Accuracy of the models", header, body, 2)]


BENCHMARK = Benchmark("accuracy", "Are the answers as good as the dense network's?", cases, tables)
