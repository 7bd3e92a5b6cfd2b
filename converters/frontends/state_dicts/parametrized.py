"""Weights in parts: pruning masks, weight norm and spectral norm that were not made permanent before saving.

The parts are combined with the operators that torch uses in eval mode, so the bits are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ....core.errors import quoted
from ....dcformat import ConversionError

_PATH = r"((?:.*\.)?)"
_MASK = re.compile(_PATH + r"(?:([^.]+)_)?mask")


class Form(NamedTuple):
    """A parametrization: a weight in parts.

    Attributes
    ----------
    what : str
        Name for messages.
    plain : str
        Name of the weight, with ``{}`` for the variable part, without the path of the module.
    parts : tuple of str
        Names of the parts, in the same form.
    weight : callable
        Combines the parts; returns None if they are not what their names suggest.
    """

    what: str
    plain: str
    parts: tuple[str, ...]
    weight: Callable[..., Tensor | None]

    def names(self, first: str) -> list[str]:
        """Names of the weight and of its parts, given the name of the first part; empty if `first` is none."""
        found = re.fullmatch(_PATH + re.escape(self.parts[0]).replace(r"\{\}", "([^.]*)"), first)
        return [found[1] + part.format(found[2]) for part in (self.plain, *self.parts)] if found else []


def masked(weight: Tensor, mask: Tensor) -> Tensor | None:
    """As ``torch.nn.utils.prune.BasePruningMethod.apply_mask``."""
    return mask.to(weight.dtype) * weight if mask.shape == weight.shape else None


def weight_norm(g: Tensor, v: Tensor) -> Tensor | None:
    """``W = g v / |v|`` (Salimans and Kingma 2016, arXiv 1602.07868, equation 2); g has the axes of the norm."""
    axes = [-1] if g.ndim == 0 else [i for i in range(v.ndim) if g.shape == _only(v.shape, i)]
    return torch._weight_norm(v, g, axes[0]) if axes and _floats_alike(g, v) else None


def spectral_norm(weight: Tensor, u: Tensor, v: Tensor) -> Tensor | None:
    """``W / (u^T W v)`` (Miyato et al. 2018, arXiv 1802.05957, algorithm 1), with u and v of the last training step."""
    if weight.ndim < 2 or not _floats_alike(weight, u, v):
        return None
    for axis in range(weight.ndim):
        matrix = weight.movedim(axis, 0).flatten(1)
        if (matrix.shape[:1], matrix.shape[1:]) == (u.shape, v.shape):
            return weight / torch.dot(u, torch.mv(matrix, v))
    return None


def _only(shape: torch.Size, axis: int) -> tuple[int, ...]:
    return tuple(n if i == axis else 1 for i, n in enumerate(shape))


def _floats_alike(first: Tensor, *rest: Tensor) -> bool:
    return first.is_floating_point() and all(tensor.dtype == first.dtype for tensor in rest)


_INNER = "parametrizations.{}."
FORMS = (
    Form("masks of torch.nn.utils.prune", "{}", ("{}_orig", "{}_mask"), masked),
    Form("weight norm", "weight{}", ("weight{}_g", "weight{}_v"), weight_norm),
    Form("weight norm", "{}", (_INNER + "original0", _INNER + "original1"), weight_norm),
    Form("spectral norm", "{}", ("{}_orig", "{}_u", "{}_v"), spectral_norm),
    Form("spectral norm", "{}", (_INNER + "original", _INNER + "0._u", _INNER + "0._v"), spectral_norm),
)
"""Masks come first: a pruned tensor may be part of another parametrization."""


@torch.no_grad()
def fold(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Combine the weights that a state dict keeps in parts.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Not changed.

    Returns
    -------
    plain : dict of str to torch.Tensor
        The state dict of the plain network: each weight under its own name, at the position of its first part. Other
        entries stay.
    messages : list of str
        The weights that were combined.
    """
    plain, messages = dict(state), list[str]()
    for form in FORMS:
        made = []
        for first in list(plain):
            name, *parts = form.names(first) or [""]
            if not parts or name in plain or not plain.keys() >= set(parts) or _goes_on(plain, parts):
                continue
            weight = form.weight(*(plain[part] for part in parts))
            if weight is not None:
                kept = {key: value for key, value in plain.items() if key not in parts[1:]}
                plain = {name if key == first else key: weight if key == first else kept[key] for key in kept}
                made.append(name)
        if made:
            messages.append(f"{form.what} applied: {quoted(made)}")
    return plain, messages


def _goes_on(state: Mapping[str, Tensor], parts: list[str]) -> bool:
    """Whether the weight has a further, unknown parametrization."""
    stem = parts[0].rpartition(".")[0] + "."
    return "parametrizations." in stem and any(name.startswith(stem) and name not in parts for name in state)


def masked_by(mask: str) -> str | None:
    """Name of the weight that a layer multiplies by this mask: ``fc1.weight`` for ``fc1.mask``."""
    found = _MASK.fullmatch(mask)
    return found[1] + (found[2] or "weight") if found else None


@torch.no_grad()
def apply_masks(state: Mapping[str, Tensor], aside: list[str]) -> tuple[dict[str, Tensor], list[str]]:
    """Remove entries that are no weights from a state dict; masks are first multiplied into their weights.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Not changed.
    aside : list of str
        Names of the entries to remove.

    Returns
    -------
    kept : dict of str to torch.Tensor
    messages : list of str
        The masks that were applied.

    Raises
    ------
    ConversionError
        A mask holds values other than 0 and 1.
    """
    kept = {name: value for name, value in state.items() if name not in aside}
    masks = {name: weight for name in aside if (weight := masked_by(name)) in kept and weight is not None}
    for name, weight in masks.items():
        mask = state[name]
        if not ((mask == 0) | (mask == 1)).all():
            hint = "apply it to the weight before saving, and save the state dict without it"
            raise ConversionError(f"the mask {name!r} holds more than zeros and ones", hint=hint)
        kept[weight] = mask.to(kept[weight].dtype) * kept[weight]
    return kept, [f"masks applied: {quoted(masks)}"] if masks else []
