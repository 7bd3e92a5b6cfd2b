"""Integers: dcz with 8-bit integers beside fp32, and beside OpenVINO int8 that was calibrated on the same images.

Test sets are not in the repository: ``--mnist`` and ``--cifar10`` name their folders.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import dcz

from .accuracy import data_set_of
from .dense_files import DenseFiles
from .interleaved import time_interleaved
from .peers import PEERS, SCORER, MissingToolError
from .peers.process import Worker, score
from .suite import Benchmark, Options, Row, Table, figure

CALIBRATION = 200
"""Images of the training set that ranges come from."""
QUICK_PICTURES = 500
OURS, FP32, THEIRS = "dcz u8", "dcz fp32", "openvino int8"
Images = NDArray[np.float32]


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {path.name: partial(measure, path, options) for path in sorted(options.models.glob("*.dcz"))}


def measure(path: Path, options: Options) -> list[Row]:
    """Calibrate one container, score its test set and time it: a row for each engine."""
    with dcz.open(path) as container:
        preprocess, labels, graph = container.preprocess, container.labels, container.graph
    assert graph is not None
    name = data_set_of(labels, graph.input_shape)
    folder = getattr(options, name) if name else None
    row: Row = {"network": path.name, "threads": options.threads, "timer": options.timer_name}
    if folder is None or preprocess is None:
        return [row | {"engine": OURS, "not_run": f"give its test set: --{name} FOLDER"}]
    if not any(node.op == "conv2d" for node in graph.nodes):
        return [row | {"engine": OURS, "not_run": "it has no convolution"}]
    calibration, test, truth = _images(folder, preprocess, QUICK_PICTURES if options.quick else None)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dcz.calibrate(path, calibration, work / "u8.dcz", threads=options.threads)
        models = {
            FP32: dcz.load(path, threads=options.threads),
            OURS: dcz.load(work / "u8.dcz", threads=options.threads, precision="u8"),
        }
        answers = {engine: model(test) for engine, model in models.items()}
        one = test[:1]
        clocks = {engine: _clock(model, one, options) for engine, model in models.items()}
        files, missing = DenseFiles(path, one, work), ""
        try:
            answers[THEIRS] = score(SCORER, options.peers, files.path("onnx"), calibration, test)
            worker = Worker(
                PEERS[THEIRS],
                files.path("onnx"),
                files.batch,
                options.threads,
                options.peers,
                options.cpu_time,
                prepare=False,
            )
            clocks[THEIRS] = stack.enter_context(worker).clock
        except MissingToolError as error:
            missing = str(error)
        seconds = time_interleaved(clocks, options.seconds).seconds
    rows = [row | _row(engine, answers, truth, seconds) for engine in answers]
    return rows + ([row | {"engine": THEIRS, "not_run": missing}] if missing else [])


def _clock(model: dcz.Model, batch: Images, options: Options) -> Callable[[int], float]:
    from dcz.core.timing import clock_of

    return clock_of(lambda: model(batch), options.timer)


def _row(
    engine: str, answers: Mapping[str, Images], truth: NDArray[np.int64], seconds: Mapping[str, list[float]]
) -> Row:
    from dcz.core.timing import milliseconds, ratio

    wanted, found = answers[FP32].astype(np.float64), answers[engine].reshape(answers[FP32].shape)
    tops, top = wanted.argmax(1), found.argmax(1)
    return {
        "engine": engine,
        "pictures": len(truth),
        "top1": float((top == truth).mean()),
        "agree": float((top == tops).mean()),
        "rms_error": float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted).mean())),
        **milliseconds(seconds[engine]),
        "ratio": ratio(seconds[engine], seconds[OURS]),
    }


def _images(folder: Path, preprocess: dcz.Preprocess, most: int | None) -> tuple[Images, Images, NDArray[np.int64]]:
    """Inputs to calibrate with, inputs of the test set in random order, and the classes of these."""
    from dcz.converters.training.data.batches import normalise
    from dcz.converters.training.data.datasets import load_dataset

    data, rng = load_dataset(folder, preprocess), np.random.default_rng(0)
    chosen, order = rng.permutation(len(data.train))[:CALIBRATION], rng.permutation(len(data.test))[:most]

    def inputs(images: NDArray[np.uint8]) -> Images:
        return np.ascontiguousarray(normalise(images, preprocess).numpy())

    return inputs(data.train.images[chosen]), inputs(data.test.images[order]), data.test.labels[order]


def tables(rows: list[Row]) -> list[Table]:
    measured = [row for row in rows if "top1" in row]
    header = ("network", "engine", "pictures", "top-1", "as fp32", "rms error", "ms", "least ms", "of dcz u8")
    body = [
        (
            row["network"], row["engine"], row["pictures"], f"{row['top1']:.2%}", f"{row['agree']:.2%}",
            f"{row['rms_error']:.2g}", figure(row["median_ms"]), figure(row["min_ms"]), f"{row['ratio']['median']:.2f}",
        )
        for row in measured
    ]  # fmt: skip
    return [Table("8-bit integers: accuracy, and time of one sample", header, body, 2)]


BENCHMARK = Benchmark("integer", "What do 8-bit integers gain, and what do they cost?", cases, tables)
