"""Pruning and sharing without training: each layer is rebuilt so that it answers as before on a few hundred inputs.

The method is that of Optimal Brain Surgeon (Hassibi and Stork 1992), layer by layer, in the form of SparseGPT (Frantar
and Alistarh 2023, arXiv 2301.00774, algorithm 1) and, for sharing, GPTQ (Frantar et al. 2022, arXiv 2210.17323). The
columns of a weight are changed one after the other, and those that follow make up for the error of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import ConversionError
from ...core.progress import progress_bar
from ..compression.clustering import Clustering, cluster
from ..compression.pruning import global_masks
from ..compression.sharing import BitsRule, parse_bits
from .layers import numbers, plain, weights_of

BLOCK = 128
"""Columns whose errors are passed on together (SparseGPT, section 3.4)."""


def one_shot(
    model: nn.Module,
    inputs: Iterable[Tensor],
    *,
    density: float = 1.0,
    bits: int | str | BitsRule | None = None,
    score: str = "lamp",
    layers: Sequence[str] | None = None,
    damp: float = 0.01,
) -> nn.Module:
    """Prune and share a network in place without training it.

    Parameters
    ----------
    model : nn.Module
        In eval mode afterwards.
    inputs : iterable of Tensor, each of shape ``(N, ...)``
        Some hundred inputs of the network, in batches, without labels. They are kept in memory.
    density : float
        Share of the weights that the whole network keeps; `score` divides it among the layers.
    bits : int, str or BitsRule, optional
        Bits of the shared weights, as for `Sharer`; None leaves them unshared.
    score : {"lamp", "magnitude"}
        As for `Pruner`.
    layers : sequence of str, optional
        Names of the layers to compress, or patterns; all convolutions and linear layers without it.
    damp : float
        Added to the diagonal of each layer's Hessian, as a share of its mean.

    Returns
    -------
    nn.Module
        The module without its wrappers.

    Raises
    ------
    ConversionError
        An argument out of range, no inputs, a layer that `bits` or `layers` names and the network lacks, or NaN.
    """
    if not 0 < density <= 1:
        raise ConversionError("density out of range", expected="0 < density <= 1", found=density)
    rule = bits if isinstance(bits, BitsRule) or bits is None else parse_bits(str(bits))
    weights = weights_of(model, layers)
    if rule is not None and (unknown := rule.unknown(list(weights))):
        raise ConversionError(f"the network has no layer {unknown[0]!r}", expected=", ".join(weights))
    batches = list(inputs)
    if not batches:
        raise ConversionError("no inputs to compress by", expected="some hundred, in batches")
    model = plain(model).eval()
    masks = global_masks({name: numbers(name, weight) for name, weight in weights.items()}, density, score=score)
    modules = dict(model.named_modules())
    with torch.no_grad():
        for name in progress_bar(weights, desc="layer by layer", unit="layer"):
            layer = modules[name.removesuffix("weight").removesuffix(".")]
            count = None if rule is None else rule.bits(name, weights[name].ndim)
            if count is None and masks[name].all():
                continue
            _rebuild(model, layer, batches, int(masks[name].sum()), count, damp)
    return model


def _rebuild(
    model: nn.Module, layer: nn.Module, batches: Sequence[Tensor], keep: int, bits: int | None, damp: float
) -> None:
    """Prune a layer to `keep` weights and share them."""
    weight = layer.get_parameter("weight")
    transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
    matrix = (weight.transpose(0, 1) if transposed else weight).reshape(weight.shape[1 if transposed else 0], -1)
    rows, groups = matrix.double().clone(), 1 if transposed else getattr(layer, "groups", 1)
    factors = [_inverse_factor(hessian, damp) for hessian in _hessians(model, layer, batches, groups, matrix.shape[1])]
    parts = list(zip(rows.chunk(groups), factors, strict=True))
    if keep < rows.numel():
        saliences = [part.square() / factor.diagonal().square() for part, factor in parts]
        kept = _largest(torch.cat(saliences), keep)
        for (part, factor), mask in zip(parts, kept.chunk(groups), strict=True):
            _sweep(part, factor, mask, None)
    if bits is not None:
        nonzero = rows[rows != 0].float().cpu().numpy()
        codebook = torch.from_numpy(cluster(nonzero, 1 << bits, Clustering())[0]).to(rows)
        for part, factor in parts:
            _sweep(part, factor, part != 0, codebook)
    made = rows.to(weight.dtype).reshape((weight.transpose(0, 1) if transposed else weight).shape)
    weight.copy_(made.transpose(0, 1) if transposed else made)


def _sweep(rows: Tensor, factor: Tensor, mask: Tensor, codebook: Tensor | None) -> None:
    """Prune or share the columns of a matrix one after the other, in place; later columns make up for the error."""
    columns = rows.shape[1]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        errors = torch.zeros(len(rows), stop - start, dtype=rows.dtype, device=rows.device)
        for i in range(start, stop):
            wanted = rows[:, i].clone()
            value = wanted if codebook is None else codebook[_nearest(codebook, wanted)]
            rows[:, i] = torch.where(mask[:, i], value, torch.zeros_like(value))
            error = (wanted - rows[:, i]) / factor[i, i]
            errors[:, i - start] = error
            rows[:, i + 1 : stop] -= error[:, None] * factor[i, i + 1 : stop] * _free(mask[:, i + 1 : stop], codebook)
        rows[:, stop:] -= errors @ factor[start:stop, stop:] * _free(mask[:, stop:], codebook)


def _free(mask: Tensor, codebook: Tensor | None) -> Tensor:
    """Weights that may still change: while pruning all, while sharing those that are not zero."""
    return torch.ones_like(mask) if codebook is None else mask


def _nearest(codebook: Tensor, values: Tensor) -> Tensor:
    middles = (codebook[1:] + codebook[:-1]) / 2
    return torch.bucketize(values, middles)


def _largest(scores: Tensor, keep: int) -> Tensor:
    mask = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[scores.reshape(-1).topk(keep).indices] = True
    return mask.view(scores.shape)


def _inverse_factor(hessian: Tensor, damp: float) -> Tensor:
    """The upper Cholesky factor of the inverse of a Hessian (GPTQ, section 3.3)."""
    dead = hessian.diagonal() == 0
    hessian.diagonal()[dead] = 1.0
    hessian.diagonal().add_(damp * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def _hessians(model: nn.Module, layer: nn.Module, batches: Sequence[Tensor], groups: int, columns: int) -> list[Tensor]:
    """For each group of a layer the sum of x x^T over what its rows are multiplied with."""
    sums: list[Tensor] = []

    def add(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        for group, x in enumerate(_columns(layer, arguments[0].detach(), groups)):
            if len(sums) <= group:
                sums.append(torch.zeros(columns, columns, dtype=torch.float64, device=x.device))
            sums[group] += (x.T @ x).double()

    handle = layer.register_forward_pre_hook(add)
    try:
        for batch in batches:
            model(batch)
    finally:
        handle.remove()
    if not sums:
        raise ConversionError("a layer is never called on these inputs", found=str(layer))
    return sums


def _columns(layer: nn.Module, x: Tensor, groups: int) -> Sequence[Tensor]:
    """What the rows of a layer's weight are multiplied with, of shape ``(n, columns)``, for each group."""
    if isinstance(layer, nn.Linear):
        return [x.reshape(-1, x.shape[-1])]
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return [_unfolded(layer, part) for part in x.chunk(groups, dim=1)]
    raise ConversionError(
        "this kind of layer cannot be rebuilt",
        expected="Linear, Conv1d or Conv2d",
        found=type(layer).__name__,
        hint="leave it out with layers=[...]",
    )


def _unfolded(layer: nn.Conv1d | nn.Conv2d, x: Tensor) -> Tensor:
    kernel, stride, dilation = (tuple(v) for v in (layer.kernel_size, layer.stride, layer.dilation))
    x = F.pad(
        x, layer._reversed_padding_repeated_twice, "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    )
    if x.dim() == 3:
        x, kernel, stride, dilation = x[:, :, None], (1, *kernel), (1, *stride), (1, *dilation)
    taken = F.unfold(x, kernel, dilation=dilation, stride=stride)
    return taken.transpose(1, 2).reshape(-1, taken.shape[1])
