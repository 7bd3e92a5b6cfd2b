"""Operators without a lowering, which are said by others: by torch's definitions, or by ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import LINE, Call, captured
from torch import Tensor, nn
from torch.nn import functional as F


def written(x: Tensor) -> Tensor:
    """Write numbers and values into parts."""
    x[:, 0] = 0
    x[:, 1, 2:4] += 1
    x[:, 2] *= x[:, 3]
    x[:, :, :12:3] = x[:, :, 1::3].relu()
    return x


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
    "an image of its columns": lambda x: F.fold(F.unfold(x[:, None], 3, 2, 1, 2), x.shape[1:], 3, 2, 1, 2),
    "an image of windows that leave a rest": lambda x: F.fold(
        F.unfold(x[:, None], (2, 3), stride=(2, 4)), x.shape[1:], (2, 3), stride=(2, 4)
    ),
    "limits that are tensors, in place": lambda x: (x + 1).clamp_(torch.tensor(-0.5), torch.tensor(0.1)),
    "running sums": lambda x: x.cumsum(1) - x.cumsum(-1),
    "running counts": lambda x: x * (x > 0).cumsum(-1),
    "powers of numbers": lambda x: 2**x + torch.exp2(x),
    "logarithms": lambda x: (x.abs() + 1).log2() - (x.abs() + 1).log10(),
    "exact near zero": lambda x: torch.stack([(x * 1e-5).expm1(), (x.abs() * 1e-5).log1p(), x.expm1() * 1e-5], 1),
    "hyperbolic functions": lambda x: x.sinh() / x.cosh(),
    "tangent and signs": lambda x: x.tan().sign() + torch.hypot(x, x + 1),
    "complement of the error function": lambda x: torch.erfc(x),
    "remainders": lambda x: (x * 5).trunc() + (x * 5).fmod(2.0) * 0.1 + torch.remainder(x * 5, 2.0) * 0.01,
    "quotients that are rounded": lambda x: (
        (x * 5) // 0.7 + torch.div(x * 5, 0.7, rounding_mode="trunc") * 0.1 + torch.floor_divide(x * 5, x.abs() + 1)
    ),
    "quotients of whole numbers": lambda x: (x * 100).round().clamp(41, 41) // 41 + (x * 0 + 82) % 41,
    "windows of an axis": lambda x: x.unfold(-1, 3, 2),
    "diagonals": lambda x: torch.cat([x.diagonal(dim1=1, dim2=2), x.diagonal(-1, 1, 2), x.diagonal(2, 2, 1)], 1),
    "any, all, and how many": lambda x: (x > 0).any(1) * 1.0 + (x > -1).all(1) * 2.0 + (x > 0.5).count_nonzero(dim=1),
    "distances of rows": lambda x: torch.cdist(x, x + 1) + torch.cdist(x, x * 2, p=1.0),
    "writing into slices": lambda x: written(x.clone()),
    "cosine, defined by what is defined by others": lambda x: F.cosine_similarity(x, x * 2 + 1, dim=-1),
}


@pytest.mark.parametrize("name", DEFINED)
def test_what_is_defined_answers_as_the_module(name: str) -> None:
    captured(Call(DEFINED[name]), LINE)


def test_a_view_of_what_is_defined_need_not_fit_its_strides() -> None:
    """With a tensor that is written into, torch traces twice: it makes a view of the reshape before windows are."""
    captured(Call(lambda x: x.clone().mul_(2).unfold(2, 5, 1).unfold(3, 6, 1).reshape(len(x), 4, -1)), (4, 5, 6))


def test_a_bilinear_layer_is_a_linear_one_and_products() -> None:
    captured(Call(lambda x, both: both(x, x[..., :3]), both=nn.Bilinear(LINE[-1], 3, 4)), LINE)
