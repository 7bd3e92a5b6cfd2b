"""Elements by their numbers: constant ones, computed ones, and those of each sample."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import IMAGE, Call, captured, ops
from torch import Tensor, nn

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError

DIMS = st.sampled_from([1, 2, 3, -1, -2])
ROWS = (5, 7)


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


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "list": lambda x: x[:, [2, 0, -1]],
    "list of rows": lambda x: x[:, :, [[0, 1], [-1, 2]]],
    "pairs of numbers": lambda x: x[:, :, [[0, 1], [1, 2]], [[1, 1], [0, -1]]],
    "broadcast pairs": lambda x: x[:, :, torch.tensor([[0], [1], [8]]), torch.tensor([2, 10])],
    "batch behind": lambda x: x.permute(1, 2, 0, 3)[:, [[0, 3], [5, 1]]].permute(3, 0, 1, 2, 4),
    "each sample by its number": lambda x: x[torch.arange(len(x)), torch.tensor(2)],
    "broadcast, with each sample": lambda x: (
        x[torch.arange(len(x)).view(-1, 1, 1), :1].squeeze(1).flatten(1)[:, torch.tensor([[0, 3], [1, 2]])]
    ),
    "columns of each sample": lambda x: x.flatten(1)[torch.arange(len(x)).view(-1, 1, 1), torch.tensor([[4], [9]])],
}


@pytest.mark.parametrize("name", FORMS)
def test_constant_numbers(name: str) -> None:
    captured(Call(FORMS[name]), samples=2)


def _first_largest(x: Tensor) -> Tensor:
    return x[:, :, 0].argmax(1)


COMPUTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "a row of each sample": lambda x, t: x[torch.arange(len(x)), _first_largest(x)],
    "from the end": lambda x, t: x[torch.arange(len(x)), _first_largest(x) - 5],
    "some rows of each sample": lambda x, t: x[torch.arange(len(x)).unsqueeze(1), x[:, :, 1:4].argmax(1)],
    "gather": lambda x, t: x.gather(1, x[:, :, :2].argmax(1)[:, :, None].expand(-1, -1, 7)),
    "gather along the last axis": lambda x, t: x.gather(2, x.argmax(2, keepdim=True)),
    "gather from a constant": lambda x, t: t[0, :7].expand(len(x), 7).gather(1, x.argmax(2)),
    "gather from a constant of integers": lambda x, t: (
        torch.arange(7, 0, -1).expand(len(x), 7).gather(1, x.argmax(2)) + x[:, :, 0]
    ),
    "rows of a constant": lambda x, t: t[x.argmax(2)],
    "rows of a constant from the end": lambda x, t: t[x.argmax(2) - 7],
    "matrices of a constant": lambda x, t: t.view(10, 2, 5)[x.argmax(2)],
    "selected rows of a constant": lambda x, t: t.index_select(0, _first_largest(x)),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_computed_numbers(name: str) -> None:
    captured(Call(lambda x, fc: COMPUTED[name](x, fc.weight), fc=nn.Linear(10, 10)), ROWS)


def test_elements_that_are_not_taken_may_be_infinite() -> None:
    def forward(x: Tensor) -> Tensor:
        return (1 / x.relu())[torch.arange(len(x)), x[:, :, 0].argmax(1)][:, :1]

    captured(Call(forward), ROWS)


REFUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "samples by number": lambda x: x[[1, 0]],
    "computed numbers": lambda x: x.index_select(1, x.flatten(1).argmax(1)),
    "numbers of axes apart": lambda x: x[:, [0, 1], :, [1, 2]],
    "mask": lambda x: x.flatten(1)[:, (x > 0).flatten(1)[0]],
    "other elements of each sample": lambda x: x[torch.arange(len(x)), torch.tensor([0, 1])],
    "computed numbers for two axes": lambda x: x[
        torch.arange(len(x)), x[:, :, 0, 0].argmax(1), x[:, 0, :, 0].argmax(1)
    ],
    "part of the other axes": lambda x: x.flatten(2).gather(2, x.flatten(2)[:, :1].argmax(2, keepdim=True)),
    "columns of a constant": lambda x: torch.eye(4)[:, x[:, 0, 0].argmax(1)].t(),
    "too many": lambda x: x.flatten(1).repeat(1, 99).gather(1, (x.flatten(1) > 0).long().repeat(1, 99)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(UnsupportedOpError):
        from_module(Call(REFUSED[name]), IMAGE)
