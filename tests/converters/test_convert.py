from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import dcz
from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.convert import STAGES, convert
from dcz.converters.export import export
from dcz.converters.frontends.arrays import STORABLE
from dcz.dcformat import ConversionError, FormatError, InputError, Preprocess


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


@pytest.fixture(scope="module")
def lenet() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return ARCHITECTURES["lenet5_caffe"].factory().state_dict()


def same_bits(a: Tensor, b: Tensor) -> bool:
    bits = [bytes(tensor.contiguous().clone().untyped_storage()) for tensor in (a, b)]
    return (a.dtype, a.shape, bits[0]) == (b.dtype, b.shape, bits[1])


def test_report_of_a_lossless_conversion(net: nn.Module, tmp_path: Path) -> None:
    report = convert(net, tmp_path / "net.dcz", input_shape=(3, 8, 8))
    assert report.lossless
    assert report.errors == {}
    json = report.to_json()
    assert json["file_bytes"] == (tmp_path / "net.dcz").stat().st_size
    assert json["lossless"] is True
    assert [tensor["name"] for tensor in json["tensors"]] == list(net.state_dict())
    assert all(tensor["max_error"] == tensor["rms_error"] == 0 for tensor in json["tensors"])
    assert set(json["seconds"]) == set(STAGES)
    with dcz.open(tmp_path / "net.dcz") as container:
        assert container.graph is not None
        assert container.graph.input_shape == (3, 8, 8)


def test_report_of_a_lossy_conversion(net: nn.Module, tmp_path: Path) -> None:
    report = convert(net, tmp_path / "net.dcz", input_shape=(3, 8, 8), prune="percent:80", bits=4)
    lossless = convert(net, tmp_path / "full.dcz", input_shape=(3, 8, 8))
    assert not report.lossless
    assert report.info["file_bytes"] < 0.3 * lossless.info["file_bytes"]
    errors = {tensor["name"]: tensor["max_error"] for tensor in report.to_json()["tensors"]}
    assert errors["0.weight"] > 0 < errors["3.weight"]
    assert list(report.errors) == ["0.weight", "3.weight"]
    assert errors["0.bias"] == errors["3.bias"] == 0


def test_options_that_change_nothing_are_lossless(net: nn.Module, tmp_path: Path) -> None:
    assert convert(net, tmp_path / "net.dcz", input_shape=(3, 8, 8), prune="std:0").lossless


def test_the_same_input_gives_the_same_bytes(net: nn.Module, tmp_path: Path) -> None:
    for name in ("a", "b"):
        convert(net, tmp_path / name, input_shape=(3, 8, 8), prune="std:0.5", bits=3, init="random", seed=4)
    convert(net, tmp_path / "c", input_shape=(3, 8, 8), prune="std:0.5", bits=3, init="random", seed=5)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_architecture_brings_preprocessing_and_labels(lenet: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(lenet, tmp_path / "net.v2.pt")
    report = convert(tmp_path / "net.v2.pt")
    assert report.path == str(tmp_path / "net.v2.dcz")
    known = ARCHITECTURES["lenet5_caffe"]
    with dcz.open(report.path) as container:
        assert (container.preprocess, container.labels) == (known.preprocess, list(known.labels or ()))
    mine = Preprocess(mode="L", resize=(28, 28), mean=(0.5,), std=(1.0,))
    convert(tmp_path / "net.v2.pt", report.path, preprocess=mine, labels=[f"{i}!" for i in range(10)])
    with dcz.open(report.path) as container:
        assert container.preprocess == mine
        assert container.labels is not None
        assert container.labels[3] == "3!"
    convert(tmp_path / "net.v2.pt", report.path, labels="none")
    with dcz.open(report.path) as container:
        assert container.labels is None


def test_messages_are_logged(lenet: dict[str, Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save({"state_dict": lenet, "epoch": 1}, tmp_path / "net.pt")
    with caplog.at_level(logging.INFO, "dcz"):
        report = convert(tmp_path / "net.pt")
    assert any("lenet5_caffe" in message for message in report.messages)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("dcz")] == report.messages


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"labels": ["a"]}, "labels do not fit"),
    ({"preprocess": "mnist"}, "does not make the network's input"),
    ({"preprocess": "nonsense"}, "unknown preprocessing"),
    ({"labels": "nonsense"}, "unknown labels"),
    ({"prune": "nonsense"}, "pruning rule"),
    ({"bits": "conv=99"}, "bits"),
    ({"bits": 3, "init": "nonsense"}, "unknown initialisation"),
    ({"input_shape": (3, 0, 8)}, "input shape"),
    ({"input_shape": (3, 9, 9)}, "cannot be traced"),
    ({"input_shape": None}, "needs the input shape"),
]


@pytest.mark.parametrize(("options", "says"), BAD_OPTIONS)
def test_bad_options_leave_the_old_file(net: nn.Module, tmp_path: Path, options: dict[str, Any], says: str) -> None:
    out = tmp_path / "net.dcz"
    out.write_bytes(b"old")
    with pytest.raises(ConversionError, match=says):
        convert(net, out, **{"input_shape": (3, 8, 8), **options})
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def _missing(path: Path) -> None:
    pass


BAD_FILES: list[tuple[str, Callable[[Path], Any], str]] = [
    ("net.pt", _missing, "no such file"),
    ("net.pt", Path.mkdir, "is a directory"),
    ("net.pt", Path.touch, "the file is empty"),
    ("net.h5", lambda path: path.write_bytes(b"x"), "unknown kind of model"),
    ("net", lambda path: path.write_bytes(b"x"), "unknown kind of model.*no ending"),
    ("net.net", lambda path: path.write_bytes(b"x" * 900), "not Song Han's"),
    ("net.onnx", lambda path: path.write_bytes(b"\xff" * 900), "not an ONNX file"),
    ("net.pt2", lambda path: path.write_bytes(b"x" * 900), "not an exported program"),
    ("net.safetensors", lambda path: path.write_bytes(b"x" * 900), "not a safetensors file"),
    ("net.pt", lambda path: path.write_bytes(b"x" * 900), "not a checkpoint"),
]


@pytest.mark.parametrize(("name", "make", "says"), BAD_FILES)
def test_bad_files_are_named(tmp_path: Path, name: str, make: Callable[[Path], Any], says: str) -> None:
    make(tmp_path / name)
    with pytest.raises(ConversionError, match=says) as caught:
        convert(tmp_path / name, tmp_path / "out.dcz")
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.dcz").exists()


def test_arch_is_for_state_dicts(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"x")
    with pytest.raises(ConversionError, match="--arch is for state dicts"):
        convert(tmp_path / "net.pt2", arch="alexnet")


def test_the_model_is_never_overwritten(lenet: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(lenet, path)
    with pytest.raises(InputError, match="take the place of what it is made of"):
        convert(path, tmp_path / "." / "net.pt")
    assert torch.load(path, weights_only=True).keys() == lenet.keys()


def test_a_container_needs_another_output(tmp_path: Path) -> None:
    (tmp_path / "net.dcz").write_bytes(b"x")
    with pytest.raises(ConversionError, match=r"net\.dcz: a container is not written over; name another with -o"):
        convert(tmp_path / "net.dcz")
    with pytest.raises(FormatError, match=r"net\.dcz: not a \.dcz container"):
        convert(tmp_path / "net.dcz", tmp_path / "out.dcz")
    with pytest.raises(ConversionError, match="no such file"):
        convert(tmp_path / "missing.dcz", tmp_path / "out.dcz")


@pytest.mark.parametrize("option", ["labels", "preprocess"])
def test_nor_is_the_file_of_an_option(net: nn.Module, tmp_path: Path, option: str) -> None:
    path = tmp_path / "names.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="take the place of what it is made of"):
        convert(net, path, input_shape=(3, 8, 8), **{option: path})
    assert path.read_text() == "{}"


def test_a_module_needs_a_file_name(net: nn.Module) -> None:
    with pytest.raises(ConversionError, match="say where to write"):
        convert(net, input_shape=(3, 8, 8))


NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
SHAPES = st.lists(st.integers(0, 5), max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(st.sampled_from(list(STORABLE)), SHAPES), min_size=1, max_size=5), st.data())
def test_any_state_dict_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, kinds: dict[str, tuple[torch.dtype, list[int]]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    seed = data.draw(st.integers(0, 1000))
    state = {}
    for name, (dtype, shape) in kinds.items():
        tensor = torch.zeros(shape, dtype=dtype)
        raw = np.random.default_rng(seed).integers(0, 2 if dtype == torch.bool else 256, tensor.nbytes)
        for i, byte in enumerate(raw):
            tensor.untyped_storage()[i] = int(byte)
        state[name] = tensor
    torch.save(state, folder / "in.pt")
    assert convert(folder / "in.pt", folder / "x.dcz").lossless
    export(folder / "x.dcz", folder / "out.pt")
    back = torch.load(folder / "out.pt", weights_only=True)
    assert list(back) == list(state)
    assert all(same_bits(back[name], state[name]) for name in state)


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO])
def test_a_bar_is_shown_to_those_who_asked_for_messages(
    net: nn.Module, tmp_path: Path, level: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    caplog.set_level(level, logger="dcz")
    convert(net, tmp_path / "net.dcz", input_shape=(3, 8, 8), bits=2)
    for stage in ("reading", "encode", "writing"):
        assert (stage in terminal.getvalue()) == (level == logging.INFO)


def test_times_of_all_stages_are_told_to_those_who_ask_for_more(
    net: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="dcz.convert")
    report = convert(net, tmp_path / "net.dcz", input_shape=(3, 8, 8))
    told = [text for text in caplog.messages if text.endswith(" s")]
    assert told == [f"{STAGES[stage]}: {seconds:.2f} s" for stage, seconds in report.seconds.items()]
    assert len(told) == len(STAGES)
