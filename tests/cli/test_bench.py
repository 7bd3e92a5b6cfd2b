from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dcz.cli import bench

Dcz = Callable[..., Any]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """As few rounds as there may be."""
    monkeypatch.setattr(bench, "SECONDS", 0.0)


@pytest.fixture
def without_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inductor takes longer than all other tests of this folder together."""
    from dcz.converters.torch import baseline

    monkeypatch.setattr(baseline, "baselines", partial(baseline.baselines, modes=("eager", "channels_last")))


def test_alone_it_times_ours(dcz: Dcz, small_container: Path) -> None:
    result = dcz("bench", small_container, "--batch-size", 5, "--json")
    assert result.code == 0
    document = json.loads(result.out)
    (row,) = document["runs"]
    assert (row["engine"], row["device"], row["batch"], row["threads"], row["runs"]) == ("dcz", "cpu", 5, 1, 5)
    assert 0 < row["min_ms"] <= row["p10_ms"] <= row["median_ms"] <= row["p90_ms"]
    assert document["ratios"] == {}
    assert document["machine"]["cores"] >= 1


@pytest.mark.usefixtures("without_compile")
def test_beside_torch(dcz: Dcz, small_container: Path) -> None:
    document = json.loads(dcz("bench", small_container, "--baseline", "torch", "--threads", 2, "--json").out)
    assert [row["engine"] for row in document["runs"]] == ["dcz", "torch eager fp32", "torch channels_last fp32"]
    assert all(row["max_error"] < 1e-5 and row["threads"] == 2 for row in document["runs"])
    assert document["ratios"].keys() == {"torch eager fp32", "torch channels_last fp32"}
    assert document["settings"]["threads"] == 2


@pytest.mark.usefixtures("without_compile")
def test_the_table_has_a_line_an_engine(dcz: Dcz, small_container: Path) -> None:
    out = dcz("bench", small_container, "--baseline", "torch").out.splitlines()
    assert [line.split("  ")[0] for line in out[2:6]] == [
        "engine", "dcz", "torch eager fp32", "torch channels_last fp32",
    ]  # fmt: skip


def test_without_a_gpu_its_rows_say_so(dcz: Dcz, small_container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = dcz("bench", small_container, "--device", "cuda")
    assert result.code == 0
    (line,) = [line for line in result.out.splitlines() if "not run" in line]
    assert line.startswith("cuda not run: no CUDA device (torch eager fp32, torch channels_last fp32, ")
    assert line.count("torch ") == 9
    assert "\ndcz " in result.out


def test_without_torch_ours_runs_alone(dcz: Dcz, small_container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dcz.converters.torch.baseline", raising=False)
    monkeypatch.setattr("dcz.converters.torch.baseline", None, raising=False)
    monkeypatch.delattr("dcz.converters.torch.baseline", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = dcz("bench", small_container, "--baseline", "torch", "--json")
    assert result.code == 0
    ours, torch = json.loads(result.out)["runs"]
    assert ours["median_ms"] > 0
    assert ours["max_error"] is None
    assert torch["not_run"].startswith("torch is not installed")
    assert torch["median_ms"] is torch["max_error"] is None


def test_layers(dcz: Dcz, small_container: Path) -> None:
    layers = json.loads(dcz("bench", small_container, "--layers", "--json", "--batch-size", 4).out)["layers"]
    assert [layer["op"] for layer in layers] == ["conv2d", "max_pool2d", "flatten", "linear"]
    assert [layer["weight"] for layer in layers] == ["conv.weight", None, None, "fc.weight"]
    assert all(layer["us"] > 0 for layer in layers)
    assert "fc.weight" in dcz("bench", small_container, "--layers").out


@pytest.mark.usefixtures("without_compile")
def test_layers_beside_torch(dcz: Dcz, small_container: Path) -> None:
    layers = json.loads(dcz("bench", small_container, "--layers", "--baseline", "torch", "--json").out)["layers"]
    assert [layer["weight"] for layer in layers if layer.get("dense_us", 0) > 0] == ["conv.weight", "fc.weight"]


def test_bad_arguments(fails: Callable[..., str], small_container: Path) -> None:
    assert "invalid choice" in fails("bench", small_container, "--baseline", "caffe", code=2)
    assert "at least 1" in fails("bench", small_container, "--threads", 0, code=2)
    assert "no such" in fails("bench", "nowhere.dcz").lower()
