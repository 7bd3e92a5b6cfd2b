"""Equal rows are known by how a constant is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.place import FIRST
from dcz.converters.frontends.exported.rows import repeats
from dcz.converters.frontends.exported.values import of_numbers


@pytest.mark.parametrize(
    ("make", "same"),
    [
        (lambda w: w.expand(4, 3), True),
        (lambda w: w.expand(4, 3).clone() * 2 + w, True),
        (lambda w: torch.zeros(4, 3), True),
        (lambda w: w.repeat(4, 1), True),
        (lambda w: torch.arange(12.0).view(4, 3), False),
        (lambda w: w.expand(4, 3) + torch.arange(4.0).unsqueeze(1), False),
        (lambda w: w.repeat(2, 1).repeat(2, 1), False),  # it is, but two rows are repeated
        (
            lambda w: w.expand(4, 3).reshape(2, 2, 3).permute(2, 0, 1).reshape(3, 4).t(),
            False,
        ),  # two axes
        (lambda w: w.repeat(4, 2).view(4, 2, 3).transpose(1, 2).flatten(1)[:, 1:4], True),
        (lambda w: torch.ones(4, 3).to(torch.int32).cumsum(1), True),
        (lambda w: torch.ones(4, 3).cumsum(0), False),
        (lambda w: (torch.arange(12.0).view(4, 3) + 1).clamp(max=1), True),
        (lambda w: torch.arange(3).expand(4, 3).diff(dim=1, prepend=torch.zeros(4, 1, dtype=torch.int64)) * 1.0, True),
        (lambda w: w.expand(4, 3)[torch.arange(4).view(4, 1), torch.arange(3).expand(4, 3)], True),
        (lambda w: w.expand(4, 3)[torch.arange(4).view(4, 1), torch.arange(12).view(4, 3) // 4], False),
        (lambda w: w.view(3, 1).expand(3, 4)[torch.arange(3).expand(4, 3), torch.arange(12).view(4, 3) % 4], True),
        (lambda w: w[0][torch.arange(12).view(4, 3) // 4], False),
        (lambda w: F.embedding(torch.zeros(4, 3, dtype=torch.int64), w.t()).squeeze(2), True),
        (lambda w: F.embedding(torch.arange(12).view(4, 3) // 4, w.t()).squeeze(2), False),
        (lambda w: w.expand(4, 3).gather(1, torch.tensor([[2, 0, 1]]).expand(4, 3)), True),
        (lambda w: w.expand(4, 3).gather(1, torch.arange(12).view(4, 3) // 4), False),
        (lambda w: torch.arange(12.0).view(6, 2).gather(1, torch.zeros(4, 2, dtype=torch.int64))[:, :1] + w, False),
        (lambda w: w.view(1, 3).repeat(4, 1).reshape(12).view(4, 3), True),
        (lambda w: torch.cat([w.expand(4, 3), torch.zeros(4, 2)], 1)[:, ::2], True),
        (lambda w: torch.cat([w.expand(2, 3), torch.zeros(2, 3)]), False),
        (lambda w: torch.stack([w.expand(4, 3), w.expand(4, 3)], 1).view(4, 6)[:, :3], True),
        (lambda w: torch.stack([w[0], w[0], w[0] + 1, w[0]]), False),
        (lambda w: F.conv2d(w.expand(4, 3).view(4, 3, 1, 1), w.view(1, 3, 1, 1)).view(4, 1), True),
        (lambda w: torch.arange(12.0).view(3, 4).t(), False),
        (lambda w: torch.where((w > 0).expand(4, 3) & (w < 1), 0.0, -1.0), True),
        (lambda w: torch.where(torch.arange(12).view(4, 3) > 5, 0.0, -1.0), False),
        (lambda w: F.linear(w.expand(4, 3), w.expand(3, 3)), True),
        (lambda w: F.linear(w.expand(3, 3), torch.arange(12.0).view(4, 3)).t(), False),
        (lambda w: F.layer_norm(w.expand(4, 3), (3,)).softmax(1), True),
        (lambda w: w.expand(4, 3).softmax(0), False),
        (lambda w: (w.expand(4, 1, 3) @ w.expand(4, 3, 3).transpose(1, 2)).flatten(1), True),
        (lambda w: (w.expand(4, 1, 3) @ torch.arange(36.0).view(4, 3, 3)).flatten(1), False),
        (lambda w: w.expand(4, 3).t().reshape(12).relu().view(3, 4).t(), True),
        (lambda w: w.expand(4, 3).t().reshape(12).relu().view(4, 3), False),
    ],
)
def test_rows_of_a_constant_that_are_known_to_be_equal(make: Callable[[Tensor], Tensor], same: bool) -> None:
    module = Call(lambda x, layer: x + make(layer.weight), layer=nn.Linear(3, 1))
    graph = torch.export.export(module, (torch.ones(4, 3),)).graph
    total = [node for node in graph.nodes if node.op == "call_function"][-1]
    assert repeats(total.args[1], FIRST, 4) == same


def test_large_constants_are_known_by_how_they_are_made() -> None:
    """A causal mask for a batch of any size, as transformers 5 makes it: it is not computed."""

    def forward(x: Tensor) -> Tensor:
        sample, place = torch.arange(len(x)).view(-1, 1, 1), torch.arange(1 << 11)
        rows = place.expand(len(x), -1)
        return x[:, 0, None, None] + (rows[sample, place[:, None]] >= rows[sample, place])

    graph = torch.export.export(Call(forward), (torch.ones(4, 3),)).graph
    total = [node for node in graph.nodes if node.op == "call_function"][-1]
    assert of_numbers(total.args[1]) is None
    assert repeats(total.args[1], FIRST, 4)
