"""The benchmarks' questions on networks of a few hundred weights: what is measured, and what the tables say of it."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import dcz
from benchmarks import networks
from benchmarks.questions import accuracy, integer, latency, load
from benchmarks.questions.integer_inputs import CROPS, of_noise, of_photos
from benchmarks.suite import Options
from benchmarks.weights import NETWORKS
from dcz.dcformat import Graph, Preprocess, make_node, write


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(quick=True, seconds=0.0, work=tmp_path / "work", peers=tmp_path / "peers", models=tmp_path)


def test_latency_times_every_engine_and_names_those_that_are_missing(small_container: Path, options: Options) -> None:
    found = networks.Container("small", "Small", small_container, "random")
    rows = {row["engine"]: row for row in latency.measure(lambda name, options: found, "small", 2, options)}
    assert list(rows)[:3] == ["dcz", "torch eager fp32", "torch channels_last fp32"]
    assert all(rows[name]["max_error"] < 1e-5 for name in list(rows)[:3])
    assert rows["dcz"]["ratio"]["median"] == 1
    missing = {name for name, row in rows.items() if "not_run" in row}
    assert missing == {"onnxruntime", "openvino", "ncnn", "deepsparse"}
    assert rows["onnxruntime"]["not_run"].endswith("python -m benchmarks.peers onnxruntime")
    times, ratios = latency.tables(list(rows.values()))
    assert times.header[2:5] == ("dcz", "torch eager fp32", "torch channels_last fp32")
    assert times.rows[0][-1] == "not run"
    assert ratios.header == ("network", "torch eager fp32", "torch channels_last fp32")


def test_an_engine_with_other_answers_is_marked() -> None:
    figures = {"median_ms": 1.0, "p10_ms": 0.5, "p90_ms": 2.0, "ratio": {"median": 2.0, "of_least": 1.5}}
    common = {"network": "N", "weights": "w", "batch": 1, "threads": 1, "timer": "wall time", **figures}
    rows = [common | {"engine": "dcz", "max_error": 1e-7}, common | {"engine": "fast", "max_error": 0.58}]
    times, ratios = latency.tables(rows)
    assert times.rows == [("N", "w", "1 (0.5 to 2)", "1 (0.5 to 2), error 0.6")]
    assert ratios.rows == [("N", "2.00 (1.50)")]


def test_load_shows_what_ran() -> None:
    figures = dict.fromkeys(load.FIGURES, 1.0)
    rows = [{"network": "N", "engine": "dcz", **figures}, {"network": "N", "engine": "other", "not_run": "missing"}]
    (table,) = load.tables(rows)
    assert table.rows == [("N", "dcz", 1.0, 1.0, 1.0, 1.0, 1.0)]


def test_a_trained_container_goes_before_a_generated_one(small_container: Path, options: Options) -> None:
    (options.models / "lenet5_caffe.dcz").write_bytes(small_container.read_bytes())
    found = networks.container("lenet-5", options)
    assert (found.title, found.weights) == ("LeNet-5, trained", "lenet5_caffe.dcz")
    assert found.batch(3).shape == (3, 1, 8, 8)


def test_latency_of_trained_and_generated_weights(small_container: Path, options: Options) -> None:
    (options.models / "lenet5_caffe.dcz").write_bytes(small_container.read_bytes())
    both = replace(options, networks=("lenet-5", "resnet-20"), batches=(1,), quick=False)
    assert list(latency.cases(both)) == [
        "lenet-5 trained batch 1 threads 1",
        "lenet-5 batch 1 threads 1",
        "resnet-20 batch 1 threads 1",
    ]
    assert list(latency.cases(replace(both, quick=True))) == [
        "lenet-5 trained batch 1 threads 1",
        "resnet-20 batch 1 threads 1",
    ]


def test_a_half_network_is_not_the_whole(small_container: Path, options: Options) -> None:
    (options.models / "vgg16_half.dcz").write_bytes(small_container.read_bytes())
    options.work.mkdir()
    (options.work / f"vgg-16-{networks.SEED}.dcz").write_bytes(b"made before")
    assert networks.container("vgg16-half", options).weights == "vgg16_half.dcz"
    assert networks.container("vgg-16", options).weights == "generated"


def test_a_network_that_is_nowhere_is_generated_once(options: Options) -> None:
    found = networks.container("lenet-300-100", options)
    assert found.weights == "generated"
    made = found.path.stat().st_mtime_ns
    assert networks.container("lenet-300-100", options).path.stat().st_mtime_ns == made


@pytest.fixture
def brightness(tmp_path: Path) -> Path:
    """A container that answers a picture of grey level 20 d with the digit d, and a test set of ten such pictures."""
    weight = np.arange(10, dtype=np.float32)[:, None] * np.full((1, 784), 1 / 784, np.float32)
    bias = -0.5 * np.arange(10, dtype=np.float32) ** 2  # d x - d^2 / 2 is largest for the d nearest to x
    nodes = (make_node("flatten", (0,)), make_node("linear", (1,), {"weight": "w", "bias": "b"}))
    preprocess = Preprocess(mode="L", resize=(28, 28), scale=1 / 20, mean=(0.0,), std=(1.0,))
    path = tmp_path / "brightness.dcz"
    graph = Graph((1, 28, 28), nodes, 2)
    write(path, graph, {"w": weight, "b": bias}, preprocess=preprocess, labels=[str(digit) for digit in range(10)])
    truth = np.arange(10, dtype=np.uint8)
    pictures = np.broadcast_to(20 * truth[:, None, None], (10, 28, 28)).astype(np.uint8)
    truth[9] = 0  # one label is wrong
    for part in ("train", "t10k"):
        for kind, data in (("images-idx3", pictures), ("labels-idx1", truth)):
            head = struct.pack(f">HBB{data.ndim}I", 0, 8, data.ndim, *data.shape)
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(head + data.tobytes())
    return path


def test_accuracy_counts_what_is_right(brightness: Path) -> None:
    (row,) = accuracy.measure(brightness, Options(mnist=brightness.parent))
    assert (row["data"], row["pictures"], row["top1"], row["torch_top1"], row["agree"]) == ("mnist", 10, 0.9, 0.9, 1.0)
    (table,) = accuracy.tables([row])
    assert table.rows[0][4:7] == ("90.00%", "90.00%", "100.00%")


def test_without_a_test_set_accuracy_says_which_is_missing(brightness: Path, small_container: Path) -> None:
    (row,) = accuracy.measure(brightness, Options())
    assert row["not_run"] == "give its test set: --mnist FOLDER"
    (row,) = accuracy.measure(small_container, Options())
    assert row["not_run"] == "no known test set"


def test_integers_without_a_test_set_or_a_convolution(brightness: Path) -> None:
    def reason(options: Options) -> str:
        (row,) = integer.measure(partial(integer.trained, brightness), 1, options)
        return row["not_run"]

    assert reason(Options()) == "give its test set: --mnist FOLDER"
    assert reason(Options(mnist=brightness.parent)) == "it has no convolution"


def test_integers_are_timed_and_a_missing_peer_is_named(small_container: Path, options: Options) -> None:
    subject = integer.Subject("small", small_container, of_noise((1, 8, 8)))
    floats, words, integers, missing = integer.measure(lambda options: subject, 1, options)
    assert (floats["engine"], floats["agree"], floats["rms_error"]) == ("dcz fp32", 1, 0)
    assert words["engine"] == "dcz s16"
    assert 0 <= words["rms_error"] < 0.001
    assert "start_s" not in words
    assert integers["top1"] is None
    assert 0 < integers["rms_error"] < 0.1
    assert integers["peak_mib"] > 10
    assert missing["not_run"].endswith("python -m benchmarks.peers openvino")


def test_cases_of_integers_are_the_networks_that_were_named(monkeypatch: pytest.MonkeyPatch, brightness: Path) -> None:
    models = brightness.rename(brightness.with_name("lenet5.dcz")).parent
    assert "lenet5.dcz" in integer.cases(Options(models=models, networks=tuple(NETWORKS)))
    named = Options(models=models, networks=("vgg-16", "alexnet"))
    batches = ["alexnet batch 1", "alexnet batch 16", "vgg-16 batch 1"]
    monkeypatch.setattr(integer, "cores", lambda: 1)
    assert list(integer.cases(named)) == batches
    monkeypatch.setattr(integer, "cores", lambda: 2)
    assert list(integer.cases(named)) == [*batches, "alexnet threads", "vgg-16 threads"]


def test_integers_are_compared_with_fp32() -> None:
    ratio, milliseconds = {"median": 0.5, "of_least": 0.45}, {"median_ms": 0.25, "min_ms": 0.2}
    scores = {"pictures": 4, "top1": 0.75, "agree": 1.0, "rms_error": 0.0123}
    row = {"network": "n.dcz", "batch": 1, "threads": 1, "engine": "dcz fp32", "u8_to_it": ratio}
    row |= {**milliseconds, **scores, "it_to_theirs": {"median": 0.8, "of_least": 0.7}}
    other = row | {"batch": 16, "top1": None, "start_s": 0.125, "peak_mib": 99.6}
    del other["it_to_theirs"]
    tables = integer.tables([row, other, {"network": "n.dcz", "engine": "dcz u8", "not_run": "why"}])
    expected = ("n.dcz", "dcz fp32", 4, "75.00%", "100.00%", "0.012", "0.25", "0.2", "0.50", "0.45")
    assert tables[0].rows == [(*expected, "0.80 (0.70)", "", "")]
    assert tables[1].rows == [(*expected[:3], "", *expected[4:], "", "0.12", "100")]


def test_crops_of_photos_calibrate_and_photos_are_compared(brightness: Path) -> None:
    photos = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28, 1).repeat(3, axis=3)
    inputs = of_photos(photos, dcz.load(brightness))
    assert inputs.calibration.shape == (CROPS, 1, 28, 28)
    assert len(np.unique(inputs.calibration.reshape(CROPS, -1), axis=0)) > CROPS // 2
    np.testing.assert_array_equal(inputs.batch(3), inputs.test[[0, 1, 0]])
