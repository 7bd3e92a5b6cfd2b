"""Layers that plans with and without fused pools have in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.dcformat import Graph, make_node, write
from dcz.runtime.execute.layer_times import LayerTimer

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.dcz"))


@pytest.fixture
def pooled(tmp_path):
    """One sample of this network pools in a step of its own, 16 samples within the convolution."""
    weight = np.zeros((16, 3, 3, 3), np.float32)
    weight[:, 0, 1, 1] = 0.5
    nodes = (
        make_node("conv2d", (0,), {"weight": "conv"}, {"padding": (1, 1)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), {}, {"kernel": (2, 2), "stride": (2, 2)}),
        make_node("flatten", (3,)),
        make_node("linear", (4,), {"weight": "fc"}),
    )
    tensors = {"conv": weight, "fc": np.ones((2, 256), np.float32)}
    write(tmp_path / "pooled.dcz", Graph((3, 8, 8), nodes, 5), tensors)
    return dcz.load(tmp_path / "pooled.dcz", threads=1)


def test_a_pool_of_its_own_counts_to_its_convolution_where_another_plan_has_it_there(pooled, monkeypatch):
    single, lanes = pooled._engine.plan(1), pooled._engine.plan(16)
    assert [step.op for step in single.steps] == ["conv2d", "max_pool2d", "flatten", "linear"]
    assert [step.op for step in lanes.steps] == ["conv2d", "flatten", "linear"]
    for plans in ([single, lanes], [lanes, single]):
        timer = LayerTimer(plans)
        for executor, plan in zip(timer._executors, plans, strict=True):
            known = 2.0 ** np.arange(len(plan.steps))
            monkeypatch.setattr(executor, "time_steps", lambda batch, known=known: known)
        times = [timer.time(number, np.empty(0)).tolist() for number in range(2)]
        assert times[plans.index(single)] == [3, 4, 8]
        assert times[plans.index(lanes)] == [1, 2, 4]
        assert [(layer["op"], layer["weight"]) for layer in timer.layers] == [
            ("conv2d", "conv"), ("flatten", ""), ("linear", "fc")
        ]  # fmt: skip
        kernels = [step.kernel for step in plans[0].steps]
        assert " + ".join(layer["kernel"] for layer in timer.layers) == " + ".join(kernels)


def test_one_plan_alone_keeps_its_steps(pooled):
    layers = [layer for layer, _ in pooled.time_layers(np.ones((1, 3, 8, 8), np.float32), rounds=1)]
    assert layers == pooled.stats["layers"]


def test_a_network_without_layers(tmp_path):
    write(tmp_path / "nothing.dcz", Graph((3,), (), 0), {})
    assert dcz.load(tmp_path / "nothing.dcz").time_layers(np.ones((17, 3), np.float32), rounds=1) == []


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_layers_of_every_model_are_timed_whatever_slices_a_batch_has(path):
    model = dcz.load(path, threads=1)
    weights = {layer["weight"] for layer in model.stats["layers"]}
    batch = np.zeros((21, *model.input_shape), np.float32)  # slices of 16, 4 and 1
    timed = model.time_layers(batch, rounds=1)
    assert {layer["weight"] for layer, _ in timed} == weights
    assert all(seconds > 0 for _, seconds in timed)
