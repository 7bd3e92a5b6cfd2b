from __future__ import annotations

import pytest
import torch
from networks import Call, captured
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from dcz.converters.frontends.exported.constants import Constants
from dcz.converters.frontends.exported.fold import fold
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import ConversionError


@pytest.mark.parametrize(("dtype", "name"), [(torch.bfloat16, "BF16"), (torch.float16, "F16"), (torch.float64, "F64")])
def test_element_types_are_kept(dtype: torch.dtype, name: str) -> None:
    net = nn.Sequential(nn.Linear(4, 3)).to(dtype).eval()
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    source = from_module(net, (4,))
    assert {tensor.dtype for tensor in source.tensors.values()} == {name}


def test_sizes_are_checked_before_memory_is_taken() -> None:
    graph = fx.Graph()
    node = graph.call_function(torch.ops.aten.ones.default, ([1 << 20, 1 << 20],))
    node.meta["val"] = torch.empty(3, device="meta")  # as a hostile program may say
    constants = Constants(graph, {})
    assert constants.name(node, "weight") == node.name
    with pytest.raises(ConversionError, match=r"1099511627776 elements, where a container holds up to 2147483648"):
        list(fold(constants, {}))


def test_steps_that_depend_on_values() -> None:
    def forward(x: Tensor, fc: nn.Linear) -> Tensor:
        largest = fc.weight.abs().max().item()
        return F.linear(x, fc.weight * largest * 2, fc.weight[fc.weight.new_zeros(4, dtype=torch.int64), 0])

    captured(Call(forward, fc=nn.Linear(4, 4)).eval(), (4,))


def test_tensors_that_do_not_fit_are_an_error() -> None:
    graph = fx.Graph()
    a, b = graph.placeholder("a"), graph.placeholder("b")
    product = graph.call_function(torch.ops.aten.mul.Tensor, (a, b))
    for node in (a, b, product):
        node.meta["val"] = torch.empty(3, device="meta")
    constants = Constants(graph, {a: "a", b: "b"})
    assert constants.name(product, "weight") == "a"
    with pytest.raises(ConversionError, match=r"weight that the network computes.*node 'mul"):
        list(fold(constants, {"a": torch.ones(3), "b": torch.ones(2)}))
