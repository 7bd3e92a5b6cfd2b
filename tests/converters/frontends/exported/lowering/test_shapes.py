from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Call, captured, ops
from torch import Tensor, nn

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_pieces_of_any_sizes(data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from([1, 2, 3, -1]))
    size = (4, 5, 6)[dim - 1 if dim > 0 else dim]
    cuts = sorted(data.draw(st.sets(st.integers(1, size - 1), max_size=3)))
    index = data.draw(st.integers(0, len(cuts)))
    captured(Call(lambda x: x.tensor_split(cuts, dim)[index].relu()), (4, 5, 6), samples=2)


@pytest.mark.parametrize("dim", [1, 2, 3, -1])
def test_stacked_along_a_new_axis(dim: int) -> None:
    assert ops(captured(Call(lambda x: torch.stack([x, x.relu()], dim)), (4, 5, 6))).count("concat") == 1


def test_parts_that_no_axis_names() -> None:
    captured(Call(lambda x: x[..., ::2, 1::2].unbind(-1)[-1].chunk(2, -1)[0]))
    captured(Call(lambda x: torch.cat([x[..., ::2, :], x[..., 1:, :][..., ::2, :]], -1)), (3, 8, 8))  # YOLO's focus
    captured(Call(lambda x: torch.dstack([x, x.relu()])), (7,))
    captured(Call(lambda x: torch.column_stack([x, x.relu()])), (7,))


class Tokens(nn.Module):
    """A class token before the others, and one behind them that is made for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 5, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        samples = x.shape[0]
        token = self.token.expand(samples, -1, -1)
        return torch.cat([token, x, torch.ones(samples, 1, 5), self.token.repeat(samples, 2, 1)], dim=1)


def test_constants_are_joined_to_each_sample() -> None:
    assert ops(captured(Tokens(), (4, 5))).count("concat") == 1


def test_rows_that_differ_between_samples_cannot_be_joined() -> None:
    rows = torch.arange(10.0).view(2, 1, 5)
    with pytest.raises(UnsupportedOpError, match="batch axis"):
        from_module(Call(lambda x: torch.cat([rows, x], dim=1)), (4, 5))
