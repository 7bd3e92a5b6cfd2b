from __future__ import annotations

import pytest
import torch
from networks import Call, captured, ops
from torch import Tensor, nn

LAYER, BIAS = nn.Linear(5, 7, bias=False), nn.Linear(1, 5)


def captured_call(function: object) -> list[str]:
    return ops(captured(Call(function, a=LAYER, b=BIAS).eval(), (7,)))  # type: ignore[arg-type]


def test_either_order_and_a_leading_axis() -> None:
    assert captured_call(lambda x, a, b: x @ a.weight + b.bias) == ["linear"]
    assert captured_call(lambda x, a, b: b.bias[None] + torch.mm(x, a.weight)) == ["linear"]
    assert captured_call(lambda x, a, b: nn.functional.linear(x, a.weight.t()) + b.bias) == ["linear"]


def scaled(x: Tensor, a: nn.Linear, b: nn.Linear) -> Tensor:
    return torch.add(x @ a.weight, b.bias, alpha=2)


def biased_twice(x: Tensor, a: nn.Linear, b: nn.Linear) -> Tensor:
    return torch.nn.functional.linear(x, a.weight.t(), b.bias) + b.bias


def used_twice(x: Tensor, a: nn.Linear, b: nn.Linear) -> Tensor:
    y = x @ a.weight
    return (y + b.bias) + y


def of_one_number(x: Tensor, a: nn.Linear, b: nn.Linear) -> Tensor:
    return x @ a.weight + b.bias[:1]


@pytest.mark.parametrize("function", [scaled, biased_twice, used_twice, of_one_number])
def test_what_is_no_bias_is_added(function: object) -> None:
    found = captured_call(function)
    assert {"constant", "add"} <= set(found)
