from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call
from torch import Tensor, fx, nn

from dcz.converters.frontends.exported.values import MOST_COMPARED, of_numbers
from dcz.dcformat import ConversionError


def last(make: Callable[[Tensor], Tensor]) -> fx.Node:
    """The node that makes a constant, which may depend on a weight."""
    module = Call(lambda x, layer: x + make(layer.weight), layer=nn.Linear(3, 1))
    nodes = torch.export.export(module, (torch.ones(4, 3),)).graph.nodes
    return [node for node in nodes if node.op == "call_function"][-1].args[1]  # type: ignore[return-value]


def test_what_follows_from_numbers_is_computed() -> None:
    found = of_numbers(last(lambda w: torch.ones(3).cumsum(0) * 2))
    assert found is not None
    assert found.tolist() == [2, 4, 6]


def test_what_depends_on_a_weight_is_not() -> None:
    assert of_numbers(last(lambda w: torch.ones(3) * w)) is None


def test_nor_is_what_has_a_large_tensor_behind_it() -> None:
    assert of_numbers(last(lambda w: torch.ones(MOST_COMPARED + 1).sum())) is None


def test_numbers_that_do_not_fit_are_an_error() -> None:
    graph = fx.Graph()
    made = graph.call_function(torch.ops.aten.ones.default, ([2],))
    product = graph.call_function(torch.ops.aten.view.default, (made, [3]))
    for node in (made, product):
        node.meta["val"] = torch.empty(3, device="meta")
    with pytest.raises(ConversionError, match=r"node 'view"):
        of_numbers(product)
