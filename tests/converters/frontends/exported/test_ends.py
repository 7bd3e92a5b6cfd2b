"""Networks of several inputs and outputs, by ``torch.export``, down to the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dcz
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.frontends.inputs import InputShapes
from dcz.dcformat import ConversionError


class Returns(nn.Module):
    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(x)


@pytest.mark.parametrize(
    ("wrap", "names"),
    [
        (lambda x: (x.relu(), x), ["output_0", "output_1"]),
        (lambda x: [x.relu(), None, (x + x, 3)], ["output_0", "output_1"]),
        (lambda x: {"out": x.relu(), "aux": None, "more": (x, x)}, ["out", "more_0", "more_1"]),
        (lambda x: ({"a": x.relu()}, x), ["a", "output_1"]),
        (lambda x: ({"a": x.relu()}, {"a": x}), ["0_a", "1_a"]),
    ],
)
def test_outputs_are_called_after_keys_or_numbers(wrap: Callable[[Tensor], Any], names: list[str]) -> None:
    graph = from_module(Returns(wrap), (3,)).graph
    assert graph is not None
    assert [output.name for output in graph.outputs] == names


class Two(nn.Module):
    """Two inputs, an optional one, one by keyword only; outputs that are an input, and one value under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.rest = nn.Conv2d(2, 3, 3), nn.Linear(4, 3)

    def forward(self, image: Tensor, mask: Tensor | None = None, *, rest: Tensor) -> Any:
        assert mask is None
        made = self.image(image).relu().mean((2, 3))
        both = made + self.rest(rest)
        return {"both": both, "again": both, "rest": rest, "made": made}


SHAPES = {"rest": (4,), "image": (2, 6, 5)}


def test_from_torch_to_the_runtime(tmp_path: Path) -> None:
    module = Two().eval()
    dcz.convert(module, tmp_path / "two.dcz", input_shape=SHAPES)
    model = dcz.load(tmp_path / "two.dcz", threads=2)
    assert model.input_shapes == {"image": (2, 6, 5), "rest": (4,)}
    assert model.output_names == ("both", "again", "rest", "made")
    for samples in (1, 3, 21):
        given = model.noise(samples)
        with torch.no_grad():
            expected = module(torch.from_numpy(given["image"]), rest=torch.from_numpy(given["rest"]))
        found = model(given)
        assert list(found) == list(expected)
        for name, tensor in expected.items():
            np.testing.assert_allclose(found[name], tensor.numpy(), rtol=1e-5, atol=1e-5)
        in_turn = model(*given.values())
        assert all(np.array_equal(in_turn[name], found[name]) for name in found)
    verified = dcz.verify(tmp_path / "two.dcz", module)
    assert verified.ok
    assert verified.max_output_error is not None


def test_a_program_of_nested_inputs_is_verified(tmp_path: Path) -> None:
    class Nested(nn.Module):
        def forward(self, x: dict[str, Tensor], scale: float) -> Any:
            return x["a"] + x["b"], x["a"].relu()

    program = torch.export.export(Nested(), ({"a": torch.zeros(2, 3), "b": torch.zeros(2, 3)}, 2.0))
    torch.export.save(program, tmp_path / "n.pt2")
    dcz.convert(tmp_path / "n.pt2", tmp_path / "n.dcz")
    assert dcz.verify(tmp_path / "n.dcz", tmp_path / "n.pt2").ok


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ((2, 6, 5), "forward takes 'image', 'mask', 'rest' .*each of 'image', 'rest'.*--input-shape image:"),
        ({"picture": (2, 6, 5), "rest": (4,)}, "forward takes"),
        ([(2, 6, 5), (4,)], "forward takes"),
    ],
)
def test_inputs_that_forward_does_not_take(given: InputShapes, what: str) -> None:
    with pytest.raises(ConversionError, match=what):
        from_module(Two(), given)


def test_an_input_of_booleans_is_refused() -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return x

    program = torch.export.export(Masked(), (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)))
    from dcz.converters.frontends.exported.capture import lower_program

    with pytest.raises(ConversionError, match=r"'mask' has an element type that dcz lacks.*found bool"):
        lower_program(program)
    program = torch.export.export(Masked(), (torch.zeros(2, 3), torch.zeros(7, 3)))
    with pytest.raises(ConversionError, match=r"'mask' must be a batch.*expected \[2, ...\], found \[7, 3\]"):
        lower_program(program)
