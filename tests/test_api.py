"""The functions of `dcz` that several folders work together in, and the types that they take and give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

import dcz


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3)).eval()


@pytest.fixture(scope="module")
def converted(module: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dcz.Report:
    return dcz.convert(module, tmp_path_factory.mktemp("api") / "net.dcz", input_shape=(3, 2, 2))


def test_a_report_of_a_conversion_is_short(converted: dcz.Report) -> None:
    assert isinstance(converted, dcz.Report)
    size = Path(converted.path).stat().st_size
    assert repr(converted) == (
        f"<Report {converted.path!r}: lossless, 4 tensors, {size:,} bytes, ratio {converted.info['ratio']:.2f}>"
    )


def test_rules_are_values_or_their_spelling(module: nn.Module, tmp_path: Path) -> None:
    shape, rule, bits = (3, 2, 2), dcz.PruneRule("percent", 60.0), dcz.BitsRule(default=3, by_key={"1": 2})
    dcz.convert(module, tmp_path / "a.dcz", input_shape=shape, prune=rule, bits=bits)
    lossy = dcz.convert(module, tmp_path / "b.dcz", input_shape=shape, prune="percent:60", bits="3,1=2")
    assert (tmp_path / "a.dcz").read_bytes() == (tmp_path / "b.dcz").read_bytes()
    assert ": lossy, " in repr(lossy)


def test_preprocessing_is_a_value(module: nn.Module, tmp_path: Path) -> None:
    steps = dcz.Preprocess(resize=(2, 2), mean=(0.5, 0.5, 0.5))
    dcz.convert(module, tmp_path / "net.dcz", input_shape=(3, 2, 2), preprocess=steps)
    with dcz.open(tmp_path / "net.dcz") as container:
        assert container.preprocess == steps


def test_verify(converted: dcz.Report, module: nn.Module) -> None:
    assert dcz.verify(converted.path) == dcz.Verification([])
    found = dcz.verify(converted.path, module)
    assert (found.ok, found.problems, found.tensors_equal) == (True, [], True)
    assert found.max_output_error is not None
    assert found.max_output_error < 1e-5
    samples = np.zeros((1, 3, 2, 2), np.float32)
    assert dcz.verify(converted.path, module, inputs=samples).ok


def test_verify_tells_differences_and_damage_and_raises_neither(
    converted: dcz.Report, module: nn.Module, tmp_path: Path
) -> None:
    other = nn.Sequential(*module[:3], nn.Linear(5, 3)).eval()
    found = dcz.verify(converted.path, other)
    assert (found.ok, found.tensors_equal) == (False, False)
    assert "tensor '3.weight' differs" in found.problems[0]
    content = Path(converted.path).read_bytes()
    for name, damaged in (("short.dcz", content[:50]), ("flipped.dcz", content[:-1] + bytes([content[-1] ^ 1]))):
        (tmp_path / name).write_bytes(damaged)
        found = dcz.verify(tmp_path / name, module)
        assert not found.ok
        assert found.tensors_equal is None


def test_the_command_prints_what_verify_gives(converted: dcz.Report, capsys: pytest.CaptureFixture[str]) -> None:
    from dcz.cli import main

    assert main(["verify", converted.path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dcz.verify(converted.path).to_json()


def test_export(converted: dcz.Report, module: nn.Module, tmp_path: Path) -> None:
    dcz.export(converted.path, tmp_path / "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")
    for name, tensor in module.state_dict().items():
        assert np.array_equal(back[name], tensor.numpy())


def test_report(converted: dcz.Report, tmp_path: Path) -> None:
    page = dcz.report(converted.path, tmp_path / "page.html")
    assert page == tmp_path / "page.html"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert dcz.report(converted.path) == Path(converted.path).with_suffix(".html")
    assert callable(dcz.report)  # no module took the function's name on the way


def test_report_does_not_replace_what_it_reads(converted: dcz.Report) -> None:
    with pytest.raises(dcz.InputError, match="take the place"):
        dcz.report(converted.path, converted.path)


@pytest.mark.parametrize("name", ["convert", "export", "load", "open", "report", "verify"])
def test_functions_say_what_they_take_give_and_raise(name: str) -> None:
    function: Callable[..., object] = getattr(dcz, name)
    assert function.__doc__ is not None
    for heading in ("Parameters\n", "Raises\n"):
        assert heading in function.__doc__
