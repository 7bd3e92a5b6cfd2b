"""Permutations and shuffles: one node each, and none where nothing moves."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import IMAGE, Call, captured, ops
from torch import nn

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError


@settings(max_examples=8, deadline=None)
@given(st.permutations([1, 2, 3]), st.sampled_from([(4, 5, 6), (1, 5, 6), (4, 1, 1)]))
def test_any_order_of_axes(order: list[int], shape: tuple[int, ...]) -> None:
    source = captured(Call(lambda x: x.permute(0, *order).relu()), shape, samples=2)
    long = [axis for axis in order if shape[axis - 1] > 1]
    assert ops(source).count("permute") == (long != sorted(long))


def test_axes_that_change_places_by_other_names() -> None:
    for function in (
        lambda x: x.transpose(-1, 1),
        lambda x: x.movedim(1, -1),
        lambda x: x.swapaxes(2, 3),
        lambda x: x.mT,
        lambda x: torch.einsum("nchw->nhwc", x),
    ):
        assert ops(captured(Call(lambda x, function=function: function(x)))) == ["permute"]


def test_pixels_and_channels_are_shuffled_by_one_permutation() -> None:
    for module, shape in (
        (nn.PixelShuffle(2), (8, 3, 5)),
        (nn.PixelUnshuffle(2), (3, 4, 6)),
        (nn.ChannelShuffle(2), IMAGE),
        (nn.PixelShuffle(3), (2, 9, 3, 5)),
    ):
        assert ops(captured(module, shape)) == ["reshape", "permute", "reshape"]


def test_a_shuffle_by_hand_is_the_same() -> None:
    module = Call(lambda x: x.view(-1, 2, 2, 9, 11).transpose(1, 2).reshape(-1, *IMAGE))
    assert ops(captured(module, samples=2)) == ["reshape", "permute", "reshape"]


def test_views_of_views_are_one() -> None:
    module = Call(lambda x: x.permute(0, 2, 3, 1).unsqueeze(1).squeeze(1).flatten(1, 2).relu())
    assert ops(captured(module)) == ["permute", "relu", "reshape"]


def test_half_precision_on_the_way_is_refused_with_a_way_out() -> None:
    with pytest.raises(UnsupportedOpError, match=r"float32 to torch.float16; .* as it is in float32"):
        from_module(Call(lambda x: x.half().relu().float()), IMAGE)
