"""Every form of fully connected layers of several axes, of products of values, and of attention."""

from __future__ import annotations

import pytest
import torch
from networks import IMAGE, Call, captured, ops, randomise
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.dcformat import UnsupportedOpError

ROWS = (5, 7)
HEADS = (2, 6, 4)
PRODUCT = nn.Linear(3, 7, bias=False)
FORMS: dict[str, tuple[nn.Module, tuple[int, ...], list[str]]] = {
    "linear of rows": (nn.Linear(7, 3), ROWS, ["linear"]),
    "linear of an image": (nn.Linear(11, 3, bias=False), IMAGE, ["linear"]),
    "product with a matrix": (Call(lambda x, a: x @ a.weight, a=PRODUCT), ROWS, ["linear"]),
    "matmul": (Call(lambda x: torch.matmul(x.view(-1, 7, 5), x)), ROWS, ["reshape", "matmul"]),
    "bmm": (Call(lambda x: torch.bmm(x.view(-1, 7, 5), x)), ROWS, ["reshape", "matmul"]),
    "matmul of heads": (Call(lambda x: x @ x.view(-1, 2, 4, 6)), HEADS, ["reshape", "matmul"]),
    "matmul of one and all": (Call(lambda x: x[:, :1] @ x.view(-1, 2, 4, 6)), HEADS, ["slice", "reshape", "matmul"]),
    "product with constant matrices": (
        Call(lambda x, a: x @ a.weight.view(2, 4, 3), a=nn.Linear(4, 6)),
        HEADS,
        ["constant", "matmul"],
    ),
    "constant matrix first": (Call(lambda x, a: a.weight @ x, a=nn.Linear(5, 3)), ROWS, ["constant", "matmul"]),
    "baddbmm": (
        Call(lambda x: torch.baddbmm(x.view(-1, 5, 7), x, x.view(-1, 7, 5) @ x)),
        ROWS,
        ["reshape", "matmul", "matmul", "add"],
    ),
    "constant for the columns of all samples": (
        Call(
            lambda x, a: (a.weight @ x.permute(2, 1, 0).flatten(1)).view(3, 5, -1).permute(2, 1, 0), a=nn.Linear(7, 3)
        ),
        ROWS,
        [],
    ),
    "einsum with a constant": (
        Call(lambda x, a: torch.einsum("brc,rkc->brk", x, a.weight.view(5, 3, 7)), a=nn.Linear(7, 15)),
        ROWS,
        [],
    ),
    "scaled sum": (Call(lambda x: torch.baddbmm(x @ x.mT, x, x.mT, beta=2, alpha=0.5)), ROWS, []),
    "attention": (Call(lambda x: F.scaled_dot_product_attention(x, x.relu(), x)), HEADS, ["relu", "attention"]),
    "attention with a scale": (
        Call(lambda x: F.scaled_dot_product_attention(x, x, x, scale=0.7)),
        HEADS,
        ["attention"],
    ),
    "causal attention": (Call(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)), HEADS, ["attention"]),
    "attention of grouped heads": (
        Call(lambda x: F.scaled_dot_product_attention(x.repeat(1, 3, 1, 1), x, x, enable_gqa=True)),
        HEADS,
        ["reshape", "expand", "reshape", "reshape", "reshape", "attention", "reshape"],
    ),
    "attention of grouped heads with a mask for each": (
        Call(
            lambda x, a: F.scaled_dot_product_attention(
                x.repeat(1, 2, 1, 1), x, x, a.weight.view(4, 6, 6), enable_gqa=True
            ),
            a=nn.Linear(6, 24),
        ),
        HEADS,
        [],
    ),
    "attention with a mask": (
        Call(lambda x, a: F.scaled_dot_product_attention(x, x, x, a.weight), a=nn.Linear(6, 6)),
        HEADS,
        ["constant", "attention"],
    ),
    "attention with a computed mask": (
        Call(lambda x: F.scaled_dot_product_attention(x, x, x, x @ x.view(-1, 2, 4, 6))),
        HEADS,
        ["reshape", "matmul", "attention"],
    ),
    "attention with a mask of truth values": (
        Call(lambda x: F.scaled_dot_product_attention(x, x, x, torch.ones(6, 6).tril().bool())),
        HEADS,
        ["constant", "attention"],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_graph_answers_as_the_module(name: str) -> None:
    module, shape, expected = FORMS[name]
    found = ops(captured(randomise(module), shape))
    assert found == (expected or found)


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1)


REFUSED = {
    "batch as rows": (lambda x: _flat(x) @ _flat(x).t(), "factors must"),
    "product with a vector": (lambda x: x @ torch.ones(7), "a product must|factors must"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(UnsupportedOpError, match=message):
        from_module(Call(function), ROWS)


LEARNED: dict[str, nn.Module] = {
    "queries": Call(
        lambda x, q, a: a(q.weight.expand(len(x), -1, -1), x, x)[0],
        q=nn.Linear(8, 3),
        a=nn.MultiheadAttention(8, 2, batch_first=True),
    ),
    "queries that attend to each other, the batch behind them": Call(
        lambda x, q, a: a(q.weight.unsqueeze(1).repeat(1, len(x), 1), x.transpose(0, 1)).transpose(0, 1),
        q=nn.Linear(8, 3),
        a=nn.TransformerDecoderLayer(8, 2, 12),
    ),
}


@pytest.mark.parametrize("name", LEARNED)
def test_learned_queries_are_the_same_for_each_sample(name: str) -> None:
    captured(randomise(LEARNED[name]), (5, 8))
