"""Operators without a lowering, which are said by others: by torch's definitions, or by ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import LINE, Call, captured
from torch import Tensor
from torch.nn import functional as F

DEFINED: dict[str, Callable[[Tensor], Tensor]] = {
    "variance": lambda x: x.var(-1),
    "variance of several axes, kept": lambda x: x + x.var((1, 2), keepdim=True, correction=0),
    "deviation": lambda x: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6),
    "variance and mean": lambda x: torch.stack(torch.var_mean(x, -1), 1),
    "deviation and mean": lambda x: torch.cat(torch.std_mean(x, -1, keepdim=True), 1),
    "limits that are tensors": lambda x: torch.clamp(x, torch.tensor(-0.5), torch.tensor(0.1)),
    "log of a sum of exponentials": lambda x: x.logsumexp(-1),
    "between two": lambda x: torch.lerp(x, x * 2, 0.3),
    "hard shrink": F.hardshrink,
    "logit": lambda x: torch.logit(x.sigmoid()),
    "least and largest": lambda x: torch.stack(list(torch.aminmax(x, dim=-1)), 1),
    "columns of an image": lambda x: F.unfold(x[:, None], (2, 3), padding=1),
    "limits that are tensors, in place": lambda x: (x + 1).clamp_(torch.tensor(-0.5), torch.tensor(0.1)),
    "cosine, defined by what is defined by others": lambda x: F.cosine_similarity(x, x * 2 + 1, dim=-1),
}


@pytest.mark.parametrize("name", DEFINED)
def test_what_is_defined_answers_as_the_module(name: str) -> None:
    captured(Call(DEFINED[name]), LINE)
