"""Masks of truth values, as transformers make them: for each sample, and for queries that see no key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call, captured, ops
from torch import Tensor
from torch.nn import functional as F

HEADS = (2, 6, 4)


def attend(x: Tensor, mask: Tensor) -> Tensor:
    """Two layers that share a mask."""
    return F.scaled_dot_product_attention(F.scaled_dot_product_attention(x, x, x, mask), x, x, mask)


def _causal(x: Tensor) -> Tensor:
    """As transformers make it: for each sample, by the samples' own numbers."""
    places = torch.arange(6).expand(len(x), -1)
    sample = torch.arange(len(x)).view(-1, 1, 1, 1)
    rows, columns = (places[sample, torch.arange(6).view(shape)] for shape in ((1, 1, -1, 1), (1, 1, 1, -1)))
    return (torch.ones((), dtype=torch.bool) & (columns <= rows)).expand(len(x), 1, 6, 6)


CONSTANT: dict[str, Callable[[Tensor], Tensor]] = {
    "causal": _causal,
    "for each sample": lambda x: torch.ones(6, 6).tril().bool().expand(len(x), 1, 6, 6),
    "added": lambda x: torch.full((6, 6), -torch.inf).triu(1),
    "lowest number": lambda x: torch.zeros(6, 6).masked_fill(torch.ones(6, 6).triu(1).bool(), torch.finfo().min),
}


@pytest.mark.parametrize("name", CONSTANT)
def test_a_constant_mask_is_stored_once(name: str) -> None:
    source = captured(Call(lambda x: attend(x, CONSTANT[name](x))), HEADS)
    assert [op for op in ops(source) if op != "reshape"] == ["constant", "attention", "attention"]
    assert [tensor.shape[-2:] for tensor in source.tensors.values()] == [(6, 6)]


@pytest.mark.parametrize(
    "mask",
    [
        lambda x: (x[:, :1, :, 0] > 0).unsqueeze(2).expand(-1, -1, 6, -1),
        lambda x: ((x[:, 0, :, 0] > 0)[:, None, None] & torch.ones(6, 6).tril().bool()) | torch.eye(6).bool(),
        lambda x: x[:, :1, :, 0].mul(2).to(torch.bool).unsqueeze(2) & torch.ones(6, 6).tril(-1).bool(),
        lambda x: torch.ones(6, 6).tril(-1).bool(),
    ],
    ids=["keys", "keys and causal", "queries that see nothing", "constant with a query that sees nothing"],
)
def test_a_query_that_sees_no_key_is_answered_with_zero(mask: Callable[[Tensor], Tensor]) -> None:
    captured(Call(lambda x: attend(x, mask(x))), HEADS)
