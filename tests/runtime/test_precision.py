"""Precisions: what is computed in integers, bit for bit as the format page says, and what is refused."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.calibration.simulate import Simulation
from dcz.dcformat import Graph, Output, Range, infer_shapes, make_node, write
from dcz.runtime.network import Network

IMAGES = np.random.default_rng(5).normal(size=(19, 2, 8, 8)).astype(np.float32)


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(6)
    shapes = {"a": (6, 2, 3, 3), "b": (6, 6, 3, 3), "c": (4, 6, 1, 1), "d": (6, 1, 3, 3), "bias": (6,), "fc": (3, 4)}
    made = {name: rng.normal(size=shape).astype(np.float32) / shape[-1] for name, shape in shapes.items()}
    made["b"][rng.random(made["b"].shape) < 0.6] = 0
    return made


def network() -> Graph:
    """Convolutions with a residual, 1 x 1 and depthwise; pools, a concatenation; a linear layer in fp32."""
    same = {"padding": (1, 1)}
    half = {"kernel": (2, 2), "stride": (2, 2)}
    nodes = (
        make_node("conv2d", (0,), {"weight": "a", "bias": "bias"}, same),
        make_node("relu", (1,)),
        make_node("conv2d", (2,), {"weight": "b"}, same),
        make_node("add", (3, 2)),
        make_node("relu6", (4,)),
        make_node("max_pool2d", (5,), attrs=half),  # 6
        make_node("conv2d", (6,), {"weight": "d"}, {**same, "groups": 6}),
        make_node("relu", (7,)),
        make_node("avg_pool2d", (2,), attrs=half),
        make_node("concat", (8, 9)),  # 10
        make_node("slice", (10,), attrs={"axis": 0, "start": 3, "stop": 9}),
        make_node("conv2d", (11,), {"weight": "c"}),
        make_node("adaptive_avg_pool2d", (12,)),
        make_node("flatten", (13,)),
        make_node("linear", (14,), {"weight": "fc"}),
    )
    return Graph((2, 8, 8), nodes, (Output(15, "scores"), Output(12, "sums")))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("precision") / "net.dcz"
    write(path, network(), tensors())
    return path


@pytest.fixture(scope="module")
def calibrated(plain: Path) -> Path:
    out = plain.with_name("u8.dcz")
    dcz.calibrate(plain, IMAGES[:3], out, threads=1)
    return out


@pytest.fixture(scope="module")
def wanted(calibrated: Path) -> np.ndarray:
    with dcz.open(calibrated) as container:
        graph = container.graph
        shapes = infer_shapes(graph, {name: entry.shape for name, entry in container.entries.items()})
        return Simulation(graph, shapes, container.decode).run(IMAGES)[12]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("samples", [1, 3, 19])
def test_integers_are_those_of_the_page(calibrated: Path, wanted: np.ndarray, samples: int, threads: int) -> None:
    model = dcz.load(calibrated, threads=threads, precision="u8")
    assert model.precision == "u8"
    found = model(IMAGES[:samples])
    np.testing.assert_array_equal(found["sums"], wanted[:samples])
    scores = wanted[:samples].mean(axis=(2, 3), dtype=np.float64) @ tensors()["fc"].T
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-5, atol=1e-6)


def test_answers_are_near_those_of_fp32(calibrated: Path) -> None:
    wanted = dcz.load(calibrated, threads=1)(IMAGES)["scores"]
    found = dcz.load(calibrated, threads=1, precision="auto")(IMAGES)["scores"]
    assert 0 < np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def test_words_are_near_fp32_and_depend_on_no_batch(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(7), tmp_path / "net.dcz"
    weight = rng.normal(size=(16, 8, 3, 3)).astype(np.float32)
    weight[rng.random(weight.shape) < 0.6] = 0
    nodes = make_node("conv2d", (0,), {"weight": "w"}, {"padding": (1, 1)}), make_node("relu", (1,))
    write(path, Graph((8, 14, 14), nodes, (Output(2, "scores"),)), {"w": weight})
    images = rng.normal(size=(19, 8, 14, 14)).astype(np.float32)
    wanted, model = dcz.load(path, threads=1)(images), dcz.load(path, threads=1, precision="s16")
    assert model.precision == pickle.loads(pickle.dumps(model)).precision == "s16"
    assert [layer["kernel"] for layer in model.stats["layers"]] == ["conv_words_sparse"]
    found = model(images)
    assert 0 < np.abs(found - wanted).max() < 3e-4 * np.abs(wanted).max()
    for threads, samples in ((1, 1), (2, 3), (2, 19)):
        part = dcz.load(path, threads=threads, precision="s16")(images[:samples])
        np.testing.assert_array_equal(part, found[:samples])


def test_words_are_near_fp32_on_any_input(tmp_path: Path) -> None:
    """Depth adds up errors; a residual, a pool and a concatenation hand on that no value is negative."""
    rng, path, same = np.random.default_rng(8), tmp_path / "net.dcz", {"padding": (1, 1)}
    nodes, value, names = [], 0, []
    for number in range(6):
        names.append((f"w{number}", (16, 8 if number == 0 else 16, 3, 3)))
        nodes.append(make_node("conv2d", (value,), {"weight": f"w{number}"}, same))
        if number % 2:
            nodes.append(make_node("add", (len(nodes), value)))
        nodes.append(make_node("relu", (len(nodes),)))
        value = len(nodes)
    nodes.append(make_node("max_pool2d", (value,), attrs={"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1)}))
    nodes.append(make_node("concat", (value, value + 1)))
    nodes.append(make_node("conv2d", (value + 2,), {"weight": "last"}, same))
    nodes.append(make_node("adaptive_avg_pool2d", (value + 3,)))
    weights = {}
    for name, shape in (*names, ("last", (16, 32, 3, 3))):
        weights[name] = (rng.normal(size=shape) * (rng.random(shape) < 0.4)).astype(np.float32)
    write(path, Graph((8, 14, 14), tuple(nodes), (Output(value + 4, "scores"),)), weights)
    shape = 2, 8, 14, 14
    noise, constant = rng.normal(size=shape), np.broadcast_to(rng.normal(size=(2, 8, 1, 1)), shape)
    images = [noise, rng.random(shape), noise * (rng.random(shape) < 0.01), constant, np.ones(shape), 1e-4 * noise]
    images = np.concatenate(images).astype(np.float32)
    wanted, model = dcz.load(path, threads=1)(images), dcz.load(path, threads=1, precision="s16")
    assert sum(layer["kernel"].startswith("conv_words") for layer in model.stats["layers"]) == 7
    error = np.abs(model(images) - wanted).max(axis=(1, 2, 3)) / np.abs(wanted).max(axis=(1, 2, 3))
    assert (error < 1e-3).all()


def test_samples_run_alone_unless_weights_are_those_of_connected_layers(calibrated: Path) -> None:
    model = dcz.load(calibrated, threads=1, precision="u8")
    assert model._engine.facts.sizes == [1]
    for elements, alone in ((10, True), (1 << 20, False)):
        network = Network(model._engine.container, "u8")
        network.weights["fc"] = (elements,)
        assert network.alone is alone


def test_a_container_without_ranges(plain: Path) -> None:
    with pytest.raises(dcz.InputError, match="has no ranges for 8-bit integers; find them: dcz calibrate"):
        dcz.load(plain, precision="u8")
    assert dcz.load(plain, threads=1, precision="auto").precision == "fp32"


def test_a_container_whose_ranges_are_of_no_use(plain: Path, calibrated: Path) -> None:
    with dcz.open(calibrated) as container:
        graph = container.graph
    path = plain.with_name("some.dcz")
    write(path, replace(graph, quantization=replace(graph.quantization, values={})), tensors())
    with pytest.raises(dcz.InputError, match="has no ranges for 8-bit integers; find them: dcz calibrate"):
        dcz.load(path, precision="u8")
    for scale in (0.0, np.nan):
        bad = replace(graph.quantization, values={0: Range(scale, 0)})
        with pytest.raises(dcz.FormatError, match=r"bad scale .* calibrate the network again: dcz calibrate MODEL.dcz"):
            write(path, replace(graph, quantization=bad), tensors())


def test_an_unknown_precision(plain: Path) -> None:
    with pytest.raises(dcz.InputError, match=r"unknown precision \(expected fp32, s16, u8, auto, found 's8'\)"):
        dcz.load(plain, precision="s8")


def test_a_pickled_model_keeps_its_precision(calibrated: Path) -> None:
    model = dcz.load(calibrated, threads=1, precision="u8")
    assert pickle.loads(pickle.dumps(model)).precision == "u8"


def test_compiled_programs_have_a_name_for_each_combination(plain: Path, calibrated: Path) -> None:
    with dcz.open(plain) as without, dcz.open(calibrated) as with_ranges:
        assert Network(without, "auto").arithmetic.program == "fp32"
        assert Network(without, "s16").arithmetic.program == "s16"
        assert Network(with_ranges, "u8").arithmetic.program == "u8"
        assert Network(with_ranges, "auto").arithmetic.program == "mixed"
