from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Call, captured, ops
from torch.nn import functional as F

WIDTHS = st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=3)


@settings(max_examples=25)
@given(WIDTHS)
def test_padding_by_any_widths(widths: list[tuple[int, int]]) -> None:
    flat = [width for pair in widths for width in pair]
    found = ops(captured(Call(lambda x: F.pad(x, flat)), (5, 6, 7), samples=2))
    assert found.count("pad") == (max(flat) > 0 or min(flat) == 0)
    assert found.count("slice") == sum(min(pair) < 0 for pair in widths)


@settings(max_examples=25)
@given(st.data())
def test_pieces_of_any_sizes(data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from([1, 2, 3, -1]))
    size = (4, 5, 6)[dim - 1 if dim > 0 else dim]
    cuts = sorted(data.draw(st.sets(st.integers(1, size - 1), max_size=3)))
    index = data.draw(st.integers(0, len(cuts)))
    captured(Call(lambda x: x.tensor_split(cuts, dim)[index].relu()), (4, 5, 6), samples=2)
