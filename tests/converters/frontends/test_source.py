from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from dcz.converters import compare, convert
from dcz.converters.frontends.source import Source
from dcz.dcformat import ConversionError, Dense, Graph, make_node


@pytest.fixture
def incomplete(monkeypatch: pytest.MonkeyPatch) -> Source:
    """What a front end yields that could not read all of its model."""
    source = Source({"w": Dense(np.ones((2, 3), np.float32), "F32")}, lost={"packed": 6000, "bias": 12})
    for module in ("convert", "compare"):  # functions of these names hide the modules
        monkeypatch.setattr(import_module(f"dcz.converters.{module}"), "load_source", lambda *_, **__: source)
    return source


def test_a_model_that_does_not_go_in_whole_is_refused(incomplete: Source, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"m\.pt: .*6,012 numbers of the model, in 'packed', 'bias'; .*--partial"):
        convert(tmp_path / "m.pt", tmp_path / "m.dcz")
    incomplete.way_out = "convert the float network"
    with pytest.raises(ConversionError, match="; convert the float network, or leave them out with --partial"):
        convert(tmp_path / "m.pt", tmp_path / "m.dcz")
    assert not (tmp_path / "m.dcz").exists()


def test_a_partial_conversion_is_not_lossless(incomplete: Source, tmp_path: Path) -> None:
    report = convert(tmp_path / "m.pt", tmp_path / "m.dcz", partial=True)
    assert not report.lossless
    assert report.errors == {}
    assert report.lost == report.to_json()["lost"] == {"packed": 6000, "bias": 12}
    assert any("6,012 numbers" in message and "'packed', 'bias'" in message for message in report.messages)
    comparison = compare(tmp_path / "m.dcz", tmp_path / "m.pt")
    assert not comparison.tensors_equal
    assert any("6,012 numbers" in problem for problem in comparison.problems)


def test_a_whole_model_says_nothing(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "m.pt")
    report = convert(tmp_path / "m.pt", tmp_path / "m.dcz", partial=True)
    assert report.lossless
    assert report.to_json()["lost"] == {}


def test_a_tensor_keeps_its_first_name_alone() -> None:
    a, b = Dense(np.ones((2, 2), np.float32), "F32"), Dense(np.ones((2, 2), np.float32), "F32")
    nodes = (make_node("linear", (0,), {"weight": "y"}), make_node("linear", (1,), {"weight": "z"}))
    source = Source({"x": a, "z": b, "y": a, "again": a}, Graph((2,), nodes, 2))
    assert source.untie() == {"y": "x", "again": "x"}
    assert list(source.tensors) == ["x", "z"]
    assert source.graph is not None
    assert source.graph.tensor_names() == ["x", "z"]
    assert source.untie() == {}
