from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Call, captured, ops, randomise
from torch import nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError

WIDTHS = st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=3)
VALUES = st.sampled_from([0.0, 1.0, -0.7, 1e-3, 7])


@settings(max_examples=8, deadline=None)
@given(WIDTHS, VALUES)
def test_padding_by_any_widths_with_any_number(widths: list[tuple[int, int]], value: float) -> None:
    flat = [width for pair in widths for width in pair]
    found = ops(captured(Call(lambda x: F.pad(x, flat, value=value)), (5, 6, 7), samples=2))
    assert found.count("pad_constant" if value else "pad") == (max(flat) > 0 or min(flat) == 0)
    assert found.count("slice") == sum(min(pair) < 0 for pair in widths)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(["reflect", "replicate", "circular"]), WIDTHS.filter(lambda widths: len(widths) > 1))
def test_padding_with_the_own_elements(mode: str, widths: list[tuple[int, int]]) -> None:
    shape = (5, 6, 7) if len(widths) == 2 else (2, 5, 6, 7)
    flat = [max(width, 0) for pair in widths for width in pair]
    found = ops(captured(Call(lambda x: F.pad(x, flat, mode=mode)), shape, samples=2))
    assert found == ["take"] * sum(flat[i] + flat[i + 1] > 0 for i in range(0, len(flat), 2))


def test_padding_modules() -> None:
    for module in (nn.ReflectionPad2d((1, 2, 0, 3)), nn.ReplicationPad2d(2), nn.CircularPad2d(1)):
        captured(module)
    conv: nn.Module = nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect")
    assert ops(captured(randomise(conv))) == ["take", "take", "conv2d"]


def test_maxima_of_what_is_padded_with_minus_infinity() -> None:
    module = Call(lambda x: F.max_pool2d(F.pad(x, (1, 0, 1, 0), value=-math.inf), 3, 2))
    graph = captured(module).graph
    assert graph is not None
    assert math.isfinite(graph.nodes[0].attrs["value"])  # type: ignore[arg-type]


@pytest.mark.parametrize("widths", [(0, 0, 0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 0, -1, 0)])
def test_the_batch_cannot_be_padded(widths: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedOpError, match="batch axis"):
        from_module(Call(lambda x: F.pad(x, widths)), (4, 9, 11))


def test_decomposed_forms() -> None:
    module = Call(lambda x: torch.ops.aten.replication_pad2d(torch.ops.aten.reflection_pad2d(x, [1, 2, 3, 0]), [1] * 4))
    captured(module)
