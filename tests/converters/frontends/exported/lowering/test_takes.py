from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import IMAGE, Call, captured, ops
from torch import Tensor
from torch.nn import functional as F

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(-15, 15), min_size=1))
def test_rolled_along_any_axes(shifts: dict[int, int]) -> None:
    found = ops(captured(Call(lambda x: x.roll(tuple(shifts.values()), tuple(shifts))), samples=2))
    assert found == ["take"] * sum(shift % IMAGE[dim - 1] != 0 for dim, shift in shifts.items())


def test_long_runs_are_cut_out() -> None:
    """A reflection at the ends of a signal names the elements at its ends alone."""
    reflected = captured(Call(lambda x: F.pad(x.flatten(2), (3, 2), mode="reflect")), (2, 20, 20))
    assert ops(reflected) == ["reshape", "take", "take", "concat"]
    assert ops(captured(Call(lambda x: x.flatten(2).roll(7, 2)), (2, 20, 20))) == ["reshape", "take", "slice", "concat"]


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "flip": lambda x: x.flip(2, -1),
    "left to right": lambda x: torch.fliplr(x),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "repeat with a new axis": lambda x: x.flatten(2).repeat(1, 1, 2).unsqueeze(1).repeat(1, 2, 1, 1),
    "tile": lambda x: x.tile(2, 1, 2),
    "repeat interleave": lambda x: x.repeat_interleave(3, 2),
    "expand": lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 5, 6).relu(),
    "expand as": lambda x: x[:, :1].expand_as(x) + x,
    "expand with a new axis": lambda x: x.unsqueeze(1).expand(-1, 3, -1, -1, -1).flatten(1, 2),
    "expand to the own shape": lambda x: x.expand(-1, 4, 9, 11).relu(),
    "broadcast": lambda x: torch.broadcast_to(x[..., :1], x.shape).relu(),
    "rolled windows": lambda x: x.roll((1, -2), (2, 3)).flip(1),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    captured(Call(FORMS[name]), samples=2)


REFUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "batch rolled": lambda x: x.roll(1, 0),
    "everything rolled": lambda x: x.roll(1),
    "batch flipped": lambda x: x.flip(0),
    "batch repeated": lambda x: x.repeat(2, 1, 1, 1),
    "everything repeated": lambda x: x.repeat_interleave(2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(UnsupportedOpError):
        from_module(Call(REFUSED[name]), IMAGE)
