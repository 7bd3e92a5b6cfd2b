"""Integers: dcz with integers of 8 and 16 bits beside fp32, and beside OpenVINO int8, calibrated on the same images.

Trained networks are scored on their test sets, which are not in the repository: ``--mnist`` and ``--cifar10`` name
their folders. Networks of generated weights show times, and errors of the answers relative to those of fp32. Calibrated
networks are kept in the work folder, so that a run that is repeated only measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import dcz

from .. import networks
from ..dense_files import DenseFiles
from ..interleaved import time_interleaved
from ..networks import newer
from ..peers import DCZ_U8, PEERS, SCORER, MissingToolError
from ..peers.process import Worker, score
from ..suite import Benchmark, Options, Row, Table, figure
from ..weights import NETWORKS
from . import mobile
from .accuracy import data_set_of
from .integer_inputs import Images, Inputs, of_data_set, of_noise, of_photos
from .scaling import cores

QUICK_PICTURES = 500
OURS, WORDS, FP32, THEIRS = "dcz u8", "dcz s16", "dcz fp32", "openvino int8"
GENERATED = ("squeezenet", "alexnet", "vgg-16", "resnet-20")
"""Networks of generated or published weights; the trained ones are those of ``--models``."""
MOBILE = ("tv:resnet50", "tv:mobilenet_v2", "timm:efficientnet_lite0")
SINGLE = ("vgg-16", *MOBILE)
"""Networks that are timed with single samples only."""
SHARED = ("alexnet", "vgg-16")
"""Networks whose single samples are also timed on all cores."""


@dataclass(frozen=True)
class Subject:
    """A network to measure, with its inputs or the reason why there are none."""

    title: str
    path: Path
    inputs: Inputs | str


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    """A case for each network and batch size, and for each trained container."""
    names, everything = set(options.networks), set(NETWORKS) <= set(options.networks)
    made: dict[str, Callable[[], list[Row]]] = {}
    for name in (*GENERATED, *MOBILE):
        if name in names or (everything and name in MOBILE):
            for batch in options.batches if name not in SINGLE else (1,):
                made[f"{name} batch {batch}"] = partial(measure, partial(untrained, name), batch, options)
    for name in SHARED:
        if name in names and cores() > 1:
            made[f"{name} threads"] = partial(share, name, options)
    for path in sorted(options.models.glob("*.dcz")):
        if everything or networks.network_of(path.stem) in names:
            made[path.name] = partial(measure, partial(trained, path), 1, options)
    return made


def trained(path: Path, options: Options) -> Subject:
    """A trained container with its data set."""
    with dcz.open(path) as container:
        preprocess, labels, graph = container.preprocess, container.labels, container.graph
    assert graph is not None
    name = data_set_of(labels, graph.input_shape)
    folder = getattr(options, name) if name else None
    if folder is None or preprocess is None:
        return Subject(path.name, path, f"give its test set: --{name} FOLDER")
    if not any(node.op == "conv2d" for node in graph.nodes):
        return Subject(path.name, path, "it has no convolution")
    return Subject(path.name, path, of_data_set(folder, preprocess, QUICK_PICTURES if options.quick else None))


def untrained(name: str, options: Options) -> Subject:
    """A network of published, generated or random weights."""
    found = mobile.container("pruned", name, options) if name in MOBILE else networks.untrained(name, options)
    with dcz.open(found.path) as container:
        assert container.graph is not None
        shape = container.graph.input_shape
    title = f"{found.title}, {found.weights}"
    if name == "squeezenet" and options.squeezenet is not None:
        for beside in sorted(options.squeezenet.parent.glob("*.npz")):
            with np.load(beside) as arrays:
                if "images_rgb_u8" in arrays:
                    return Subject(title, found.path, of_photos(arrays["images_rgb_u8"], dcz.load(found.path)))
        title += ", on noise"  # no photos lie beside it
    return Subject(title, found.path, of_noise(shape))


def measure(find: Callable[[Options], Subject], batch_size: int, options: Options) -> list[Row]:
    """Calibrate a network, compare its answers and time it: a row for each engine."""
    subject = find(options)
    inputs = subject.inputs
    row: Row = {"network": subject.title, "batch": batch_size, "threads": options.threads, "timer": options.timer_name}
    if isinstance(inputs, str):
        return [row | {"engine": OURS, "not_run": inputs}]
    calibrated, missing = _calibrated(subject.path, inputs, options), ""
    work = calibrated.parent / f"batch-{batch_size}"
    work.mkdir(exist_ok=True)
    models = {
        FP32: dcz.load(subject.path, threads=options.threads),
        WORDS: dcz.load(subject.path, threads=options.threads, precision="s16"),
        OURS: dcz.load(calibrated, threads=options.threads, precision="u8"),
    }
    batch = inputs.batch(batch_size)
    answers = {engine: model(inputs.test) for engine, model in models.items()}
    clocks = {engine: _clock(model, batch, options) for engine, model in models.items()}
    for model in models.values():
        model(batch)  # compiles the kernels that the processes below load
    files = DenseFiles(subject.path, batch, work)
    starts = {
        engine: _start(engine, path, files, options) for engine, path in ((FP32, subject.path), (OURS, calibrated))
    }
    with ExitStack() as stack:
        try:
            answers[THEIRS], worker = _theirs(subject.path, inputs, files, work, options)
            clocks[THEIRS], starts[THEIRS] = stack.enter_context(worker).clock, worker.facts
        except MissingToolError as error:
            missing = str(error)
        seconds = time_interleaved(clocks, options.seconds).seconds
    rows = [row | _row(engine, answers, inputs, seconds) | _started(engine, starts.get(engine)) for engine in answers]
    return rows + ([row | {"engine": THEIRS, "not_run": missing}] if missing else [])


def share(name: str, options: Options) -> list[Row]:
    """Time single samples in u8 on one thread, on all cores, and as many models side by side as there are cores.

    What models gain side by side is what the machine's cores give: hyperthreads share one core's units.
    """
    from dcz.core.timing import clock_of, milliseconds, ratio

    subject = untrained(name, options)
    assert isinstance(subject.inputs, Inputs)
    path, batch, threads = _calibrated(subject.path, subject.inputs, options), subject.inputs.batch(1), cores()
    one, shared, *beside = (dcz.load(path, threads=n, precision="u8") for n in (1, threads, *(1,) * threads))
    with ThreadPoolExecutor(threads) as pool:
        calls = {
            "one": lambda: one(batch),
            "shared": lambda: shared(batch),
            "beside": lambda: list(pool.map(lambda model: model(batch), beside)),
        }
        clocks = {key: clock_of(call, time.perf_counter) for key, call in calls.items()}
        seconds = time_interleaved(clocks, options.seconds).seconds
    row: Row = {"network": subject.title, "engine": OURS, "cores": threads}
    row |= {key: milliseconds(found) for key, found in seconds.items()}
    return [row | {f"one_to_{key}": ratio(seconds["one"], seconds[key]) for key in ("shared", "beside")}]


def _calibrated(path: Path, inputs: Inputs, options: Options) -> Path:
    """The network with ranges, kept in the work folder."""
    kept = options.work / "integer" / path.stem
    kept.mkdir(parents=True, exist_ok=True)
    found = kept / "u8.dcz"
    if not (newer(found, path) and _holds(kept / "calibration.npy", inputs.calibration)):
        dcz.calibrate(path, inputs.calibration, found, threads=options.threads)
        np.save(kept / "calibration.npy", inputs.calibration)
    return found


def _start(engine: str, path: Path, files: DenseFiles, options: Options) -> Row:
    """Facts about dcz that loads a container in a process of its own."""
    peer = DCZ_U8 if engine == OURS else PEERS["dcz"]
    with Worker(peer, path, files.batch, options.threads, options.peers, prepare=False) as worker:
        return worker.facts


def _started(engine: str, facts: Row | None) -> Row:
    """Seconds from a file to the first answer, and MiB at the peak, if they were measured; another engine's version."""
    if facts is None:
        return {}
    version = {"version": facts["version"]} if engine == THEIRS else {}
    return {"start_s": facts["load_s"] + facts["first_s"], "peak_mib": facts["peak_mib"], **version}


def _theirs(path: Path, inputs: Inputs, files: DenseFiles, work: Path, options: Options) -> tuple[Images, Worker]:
    """Answers of OpenVINO, quantised once, and its process."""
    kept = work / "openvino.npy"
    given = {"calibration.npy": inputs.calibration, "test.npy": inputs.test}
    if not (newer(kept, path) and all(_holds(work / name, array) for name, array in given.items())):
        np.save(kept, score(SCORER, options.peers, files.path("onnx"), inputs.calibration, inputs.test))
    worker = Worker(
        PEERS[THEIRS],
        files.path("onnx"),
        files.batch,
        options.threads,
        options.peers,
        options.cpu_time,
        prepare=False,
    )
    return np.load(kept), worker


def _holds(path: Path, array: Images) -> bool:
    """Whether a file is there and holds an array."""
    return path.exists() and np.array_equal(np.load(path), array)


def _clock(model: dcz.Model, batch: Images, options: Options) -> Callable[[int], float]:
    from dcz.core.timing import clock_of

    return clock_of(lambda: model(batch), options.timer)


def _row(engine: str, answers: Mapping[str, Images], inputs: Inputs, seconds: Mapping[str, list[float]]) -> Row:
    from dcz.core.timing import milliseconds, ratio

    wanted, found = answers[FP32].astype(np.float64), answers[engine].reshape(answers[FP32].shape)
    tops, top = wanted.argmax(1), found.argmax(1)
    return {
        "engine": engine,
        "pictures": len(inputs.test),
        "top1": None if inputs.truth is None else float((top == inputs.truth).mean()),
        "agree": float((top == tops).mean()),
        "rms_error": float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted).mean())),
        **milliseconds(seconds[engine]),
        "u8_to_it": ratio(seconds[OURS], seconds[engine]),
        **({"it_to_theirs": ratio(seconds[engine], seconds[THEIRS])} if THEIRS in seconds else {}),
    }


def tables(rows: list[Row]) -> list[Table]:
    """One table for each number of threads and batch size."""
    header = ("network", "engine", "inputs", "top-1", "as fp32", "rms error", "ms", "least ms", "u8 / it", "of least",
              "it / OpenVINO int8", "start s", "MiB at peak")  # fmt: skip
    measured = [row for row in rows if "rms_error" in row]
    made = []
    for threads, batch in dict.fromkeys((row["threads"], row["batch"]) for row in measured):
        body = [
            (
                row["network"], row["engine"], row["pictures"], "" if row["top1"] is None else f"{row['top1']:.2%}",
                f"{row['agree']:.2%}", f"{row['rms_error']:.2g}", figure(row["median_ms"]), figure(row["min_ms"]),
                f"{row['u8_to_it']['median']:.2f}", f"{row['u8_to_it']['of_least']:.2f}",
                _with_least(row["it_to_theirs"]) if "it_to_theirs" in row else "",
                *((f"{row['start_s']:.2f}", f"{row['peak_mib']:.0f}") if "start_s" in row else ("", "")),
            )
            for row in measured
            if (row["threads"], row["batch"]) == (threads, batch)
        ]  # fmt: skip
        title = f"Integers: answers, and times of a batch of {batch}, {threads} thread{'s'[: threads > 1]}"
        made.append(Table(title, header, body, 2))
    return [*made, *_shared_table([row for row in rows if "shared" in row])]


def _shared_table(rows: list[Row]) -> list[Table]:
    """Single samples on all cores."""
    if not rows:
        return []
    cores = rows[0]["cores"]
    header = ("network", "1 thread, ms", f"{cores} threads, ms", "times as fast", f"{cores} models side by side")
    body = [
        (
            row["network"],
            *(f"{figure(row[key]['median_ms'])} ({figure(row[key]['min_ms'])})" for key in ("one", "shared")),
            _with_least(row["one_to_shared"]),
            _with_least({key: cores * value for key, value in row["one_to_beside"].items()}),
        )
        for row in rows
    ]
    title = "Single samples in u8 on all cores: median (least); side by side, how many times as many samples a second"
    return [Table(title, header, body)]


def _with_least(found: Mapping[str, float]) -> str:
    return f"{found['median']:.2f} ({found['of_least']:.2f})"


BENCHMARK = Benchmark("integer", "What do 8-bit integers gain, and what do they cost?", cases, tables)
