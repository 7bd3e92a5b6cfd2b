"""``dcz.calibrate``: a container with ranges, that answers as before, and what integers change in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.dcformat import Graph, make_node, write

IMAGES = np.random.default_rng(5).normal(size=(3, 2, 8, 8)).astype(np.float32)


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    shapes = {"a": (6, 2, 3, 3), "b": (6, 6, 3, 3), "bias": (6,), "fc": (3, 96)}
    return {name: rng.normal(size=shape).astype(np.float32) / shape[-1] for name, shape in shapes.items()}


def network() -> Graph:
    same = {"padding": (1, 1)}
    nodes = (
        make_node("conv2d", (0,), {"weight": "a", "bias": "bias"}, same),
        make_node("relu", (1,)),
        make_node("conv2d", (2,), {"weight": "b"}, same),
        make_node("add", (3, 2)),
        make_node("relu", (4,)),
        make_node("max_pool2d", (5,), attrs={"kernel": (2, 2), "stride": (2, 2)}),
        make_node("conv2d", (6,), {"weight": "b"}, same),
        make_node("flatten", (7,)),
        make_node("linear", (8,), {"weight": "fc"}),
    )
    return Graph((2, 8, 8), nodes, 9)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write(tmp_path / "net.dcz", network(), tensors(), labels=["a", "b", "c"], metadata={"from": "test"})
    return tmp_path / "net.dcz"


@pytest.mark.parametrize("correct", [False, True])
def test_a_calibrated_container(file: Path, correct: bool) -> None:
    out = file.with_name("out.dcz")
    done = dcz.calibrate(file, IMAGES, out, ranges="max", correct_bias=correct, threads=1)
    with dcz.open(file) as before, dcz.open(out) as after:
        assert after.format_version == "1.1"
        assert list(after.entries.values()) == list(before.entries.values())
        assert all((after.tensor(name) == before.tensor(name)).all() for name in before.entries)
        assert (after.labels, after.metadata) == (before.labels, before.metadata)
        given = after.graph.quantization
    assert sorted(given.values) == [0, 2, 5, 6]
    assert given.values[5] == given.values[6]
    assert sorted(given.weights) == ["a", "b"]
    assert sorted(given.corrections) == ([1, 3, 7] if correct else [])
    np.testing.assert_array_equal(dcz.load(file, threads=1)(IMAGES), dcz.load(out, threads=1)(IMAGES))
    report = done.to_json()
    assert [row["weight"] for row in report["layers"]] == ["a", "b", "b"]
    assert all(0 < row["rms_error"] < 0.02 for row in report["layers"])
    assert 0 < report["answer_rms_error"] < 0.02
    assert (report["agreement"], report["images"], report["compared_images"]) == (1, 3, 3)
    again = file.with_name("again.dcz")
    dcz.calibrate(out, IMAGES, again, ranges="max", correct_bias=correct, threads=1)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images to calibrate with"),
        (np.zeros((4, 3, 8, 8), np.float32), "array does not fit the network"),
        (np.full((1, 2, 8, 8), np.nan, np.float32), "infinite numbers or NaN"),
    ],
)
def test_images_that_will_not_do(file: Path, images: object, message: str) -> None:
    with pytest.raises(dcz.InputError, match=message):
        dcz.calibrate(file, images, file.with_name("out.dcz"), threads=1)
    assert not file.with_name("out.dcz").exists()


def test_a_network_without_convolutions(tmp_path: Path) -> None:
    graph = Graph((96,), (make_node("linear", (0,), {"weight": "fc"}),), 1)
    write(tmp_path / "net.dcz", graph, {"fc": tensors()["fc"]})
    with pytest.raises(dcz.InputError, match="no convolution to compute in integers"):
        dcz.calibrate(tmp_path / "net.dcz", np.zeros((1, 96), np.float32), tmp_path / "out.dcz")


def test_the_result_may_not_replace_the_container(file: Path) -> None:
    with pytest.raises(dcz.InputError, match="take the place"):
        dcz.calibrate(file, IMAGES, file)


def test_a_container_with_a_layer_in_float32(tmp_path: Path) -> None:
    weights = tensors()
    rows = weights["fc"].reshape(3, 6, 16)
    weights["fc"] = (rows - rows.mean(axis=2, keepdims=True)).reshape(3, 96)  # close calls
    images = np.random.default_rng(10).normal(size=(60, 2, 8, 8)).astype(np.float32)
    path, out = tmp_path / "net.dcz", tmp_path / "out.dcz"
    write(path, network(), weights)
    done = dcz.calibrate(path, images, out, ranges="p95", budget=0, threads=1)
    assert [(each["weight"], each["integer"]) for each in done.to_json()["scanned"]] == [("a", False), ("b", True)]
    assert [name for name, _ in done.layers] == ["b", "b"]
    with dcz.open(out) as container:
        given = container.graph.quantization
    assert sorted(given.values) == [2, 5, 6]
    assert sorted(given.weights) == ["b"]
    model = dcz.load(out, threads=1, precision="auto")
    assert model.precision == "u8"
    np.testing.assert_array_equal(model(images).argmax(axis=1), dcz.load(path, threads=1)(images).argmax(axis=1))


def test_no_budget_below_zero(tmp_path: Path) -> None:
    write(tmp_path / "net.dcz", network(), tensors())
    for budget in (-1.0, np.nan):
        with pytest.raises(dcz.InputError, match="a budget is a percentage of images"):
            dcz.calibrate(tmp_path / "net.dcz", IMAGES, tmp_path / "out.dcz", budget=budget)
