from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import IMAGE, Call, captured, ops
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError

DIMS = st.sampled_from([1, 2, 3, -1, -2])


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.sampled_from([1, 2, 3]), st.integers(-15, 15), min_size=1))
def test_rolled_along_any_axes(shifts: dict[int, int]) -> None:
    found = ops(captured(Call(lambda x: x.roll(tuple(shifts.values()), tuple(shifts))), samples=2))
    assert found == ["take"] * sum(shift % IMAGE[dim - 1] != 0 for dim, shift in shifts.items())


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_elements_by_number(data: st.DataObject) -> None:
    dim = data.draw(DIMS)
    indices = data.draw(st.lists(st.integers(0, IMAGE[dim - 1 if dim > 0 else dim] - 1), min_size=1, max_size=9))
    captured(Call(lambda x: x.index_select(dim, torch.tensor(indices)).relu()), samples=2)


class Buffered(nn.Module):
    """Takes elements by numbers that it keeps in a buffer."""

    def __init__(self, indices: Tensor) -> None:
        super().__init__()
        self.register_buffer("indices", indices, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2)[:, :, self.indices.view(-1)]


def test_numbers_in_a_buffer() -> None:
    module = Buffered(torch.randint(0, 99, (5, 7), generator=torch.Generator().manual_seed(0)))
    assert ops(captured(module)) == ["reshape", "take"]


def test_long_runs_are_cut_out() -> None:
    """A reflection at the ends of a signal names the elements at its ends alone."""
    reflected = captured(Call(lambda x: F.pad(x.flatten(2), (3, 2), mode="reflect")), (2, 20, 20))
    assert ops(reflected) == ["reshape", "take", "take", "concat"]
    assert ops(captured(Call(lambda x: x.flatten(2).roll(7, 2)), (2, 20, 20))) == ["reshape", "take", "slice", "concat"]


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "flip": lambda x: x.flip(2, -1),
    "left to right": lambda x: torch.fliplr(x),
    "list": lambda x: x[:, [2, 0, -1]],
    "list of rows": lambda x: x[:, :, [[0, 1], [-1, 2]]],
    "pairs of numbers": lambda x: x[:, :, [[0, 1], [1, 2]], [[1, 1], [0, -1]]],
    "broadcast pairs": lambda x: x[:, :, torch.tensor([[0], [1], [8]]), torch.tensor([2, 10])],
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
    "samples by number": lambda x: x[[1, 0]],
    "everything repeated": lambda x: x.repeat_interleave(2),
    "computed numbers": lambda x: x.index_select(1, x.flatten(1).argmax(1)),
    "numbers of axes apart": lambda x: x[:, [0, 1], :, [1, 2]],
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(UnsupportedOpError):
        from_module(Call(REFUSED[name]), IMAGE)
