"""Round trips of published checkpoints: each is converted and exported, and its answers are compared with torch's.

``--checkpoints FOLDER`` is searched for state dicts, ONNX files and Song Han's SqueezeNet. A network for CIFAR-10 or
MNIST is scored on the test set of ``--cifar10`` or ``--mnist``, as it is, and after pruning and sharing without
retraining. An ``.npz`` beside a checkpoint with ``images_rgb_u8`` and ``logits_caffe`` is a reference to reproduce.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

import dcz

from ..suite import Benchmark, Options, Row, Table
from . import accuracy

ENDINGS = (".th", ".pt", ".pth", ".safetensors", ".onnx", ".net")
LOSSY = {"prune": "percent:60", "bits": "4"}


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    if options.checkpoints is None:
        return {}
    paths = [path for path in sorted(options.checkpoints.rglob("*")) if path.suffix in ENDINGS]
    return {path.name: partial(measure, path, options) for path in paths}


def measure(path: Path, options: Options) -> list[Row]:
    """One row for the lossless container, and one for the pruned and shared network if it can be scored."""
    options.work.mkdir(parents=True, exist_ok=True)
    out = options.work / f"{path.stem}.dcz"
    row = _convert(path, out) | _round_trip(path, out, options.work) | _reference(path, out)
    score = accuracy.measure(out, options)[0] if row["graph"] else {"not_run": "weights alone"}
    rows = [row | score | {"model": path.name}]
    if "top1" in score:
        rows.append(_convert(path, out, **LOSSY) | accuracy.measure(out, options)[0] | {"model": path.name})
    return rows


def _convert(path: Path, out: Path, **options: str) -> Row:
    report = dcz.convert(path, out, **options)
    info = report.to_json()
    return {
        "options": " ".join(f"--{key} {value}" for key, value in options.items()),
        "lossless": report.lossless,
        "graph": bool(info["nodes"]),
        "dense_bytes": info["dense_bytes"],
        "file_bytes": info["file_bytes"],
        "labels_bytes": info["bytes"]["labels"],
        "ratio": info["ratio"],
    }


def _round_trip(path: Path, out: Path, folder: Path) -> Row:
    """Whether both kinds of export restore every tensor bit for bit, under the same names in the same order."""
    from dcz.converters.convert import load_source
    from dcz.converters.export import export

    expected = load_source(path).tensors
    equal = True
    for ending in (".pt", ".safetensors"):
        export(out, folder / f"back{ending}")
        found = load_source(folder / f"back{ending}").tensors
        equal &= found.keys() == expected.keys() and all(
            tensor.dtype == found[name].dtype
            and tensor.shape == found[name].shape
            and tensor.array.tobytes() == found[name].array.tobytes()
            for name, tensor in expected.items()
        )
    return {"bit_equal": equal, "problems": [] if equal else [f"{path.name}: export is not what came in"]}


def _reference(path: Path, out: Path) -> Row:
    """Greatest difference to reference logits beside a checkpoint, relative to the largest."""
    for reference in sorted(path.parent.glob("*.npz")) if path.suffix == ".net" else ():
        with np.load(reference) as arrays:
            if {"images_rgb_u8", "logits_caffe"} <= set(arrays):
                model, expected = dcz.load(out), arrays["logits_caffe"]
                found = model(model.preprocess(list(arrays["images_rgb_u8"])))
                return {"reference_error": float(np.abs(found - expected).max() / np.abs(expected).max())}
    return {}


def tables(rows: list[Row]) -> list[Table]:
    header = (
        "checkpoint", "options", "fp32 bytes", "file bytes", "of them labels", "ratio", "bit-equal", "top-1",
        "in torch", "same answer", "largest difference",
    )  # fmt: skip
    body = [
        (
            row["model"], row["options"] or "lossless", row["dense_bytes"], row["file_bytes"], row["labels_bytes"],
            f"{row['ratio']:.2f}", {True: "yes", False: "NO", None: ""}[row.get("bit_equal")],
            *(f"{row[key]:.2%}" if key in row else None for key in ("top1", "torch_top1")),
            f"{row['agree'] * row['pictures']:.0f} of {row['pictures']}" if "agree" in row else None,
            f"{max(row.get('logit_error', 0), row.get('reference_error', 0)):.1e}"
            if {"logit_error", "reference_error"} & set(row) else None,
        )
        for row in rows
    ]  # fmt: skip
    return [Table("Published checkpoints, and their answers beside torch's", header, body, 2)]


BENCHMARK = Benchmark(
    "checkpoints", "Do published checkpoints survive, bit for bit and answer for answer?", cases, tables
)
