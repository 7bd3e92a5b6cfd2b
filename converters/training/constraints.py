"""Constraints on weights during training: masks keep them pruned, codebooks keep them shared.

The training loop calls `before_step` between the gradients and the optimiser's step, and `after_step` after it. It
knows nothing else about pruning and sharing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..compression.clustering import Clustering, cluster
from ..compression.pruning import Mask
from ..compression.sharing import BitsRule


class Constraint(Protocol):
    """A property of the weights that training must keep."""

    def replaces(self) -> Mapping[str, nn.Parameter]:
        """Replacements, by name of a parameter of the model: the parameter that the optimiser trains instead."""

    def before_step(self, model: nn.Module) -> None:
        """Change the gradients."""

    def after_step(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Change the weights; `progress` is the part of the training that is done, 0 to 1."""

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state from `state_dict`."""


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Weights of the convolutions and linear layers, by name: biases and normalisation are never pruned or shared."""
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    return {f"{name}.weight": layer.get_parameter("weight") for name, layer in layers.items()}


def weights_of(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The prunable weights as arrays that share memory with the model."""
    return {name: weight.detach().numpy() for name, weight in prunable(model).items()}


def nonzero_masks(model: nn.Module) -> dict[str, Mask]:
    """Masks of the weights that are not zero now."""
    return {name: weight != 0 for name, weight in weights_of(model).items()}


class Masks:
    """Keeps pruned weights at zero: their gradients and momentum are zero, so no optimiser moves them.

    Parameters
    ----------
    masks : mapping of str to ndarray of bool
        Name of a weight -> True where it stays.
    """

    def __init__(self, masks: Mapping[str, Mask]) -> None:
        self._masks: dict[str, Tensor] = {}
        self.set(masks)

    def set(self, masks: Mapping[str, Mask]) -> None:
        """Replace the masks."""
        self._masks = {name: torch.from_numpy(np.ascontiguousarray(mask)) for name, mask in masks.items()}

    def apply(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Zero the pruned weights, and their state in the optimiser."""
        weights = prunable(model)
        for name, mask in self._masks.items():
            weight = weights[name]
            weight.detach()[~mask] = 0.0  # not a product, which would give negative zeros
            if optimizer is not None:
                for value in optimizer.state[weight].values():
                    if isinstance(value, Tensor) and value.shape == mask.shape:
                        value.mul_(mask)

    def density(self) -> float:
        """Share of the weights that stay."""
        return sum(int(m.sum()) for m in self._masks.values()) / sum(m.numel() for m in self._masks.values())

    def replaces(self) -> Mapping[str, nn.Parameter]:
        """Nothing."""
        return {}

    def before_step(self, model: nn.Module) -> None:
        """Zero the gradients of pruned weights."""
        weights = prunable(model)
        for name, mask in self._masks.items():
            gradient = weights[name].grad
            if gradient is not None:
                gradient.mul_(mask)

    def after_step(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Nothing: a weight without gradient and momentum does not change."""

    def state_dict(self) -> dict[str, Any]:
        """The masks."""
        return dict(self._masks)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the masks of a checkpoint."""
        self._masks = dict(state)


class GradualPruning(Masks):
    """Masks that tighten while the network trains, fast at first and gently at the end.

    Progress from dense to the target is ``1 - (1 - t)**3`` (Zhu and Gupta 2017, arXiv 1710.01878, equation 1). t rises
    from 0 to 1 during the share `ramp` of the training, which starts after the share `begin`.

    Parameters
    ----------
    target : callable
        ``target(weights, way) -> masks``, with the progress `way` from 0 (dense) to 1 (the target); see `targets`.
    ramp : float
        Share of the training during which the masks tighten; the rest is recovery.
    begin : float
        Share of the training before the masks first tighten, for a network that must learn something first.
    start : mapping of str to ndarray of bool, optional
        Masks to start from: pruned weights stay pruned.
    every : int
        Number of steps between two changes of the masks.
    """

    def __init__(
        self,
        target: Callable[[Mapping[str, NDArray[Any]], float], dict[str, Mask]],
        ramp: float,
        start: Mapping[str, Mask] | None = None,
        every: int = 50,
        begin: float = 0.0,
    ) -> None:
        super().__init__(start if start is not None else {})
        self._start = dict(start) if start is not None else {}
        self._target = target
        self._ramp = ramp
        self._every = every
        self._begin = begin
        self._steps = 0
        self._done = False

    def after_step(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Tighten the masks every `every` steps."""
        self._steps += 1
        left = self._begin + self._ramp - progress
        time = 1 - left / self._ramp if self._ramp > 0 and left > 1e-9 else 1.0
        if time <= 0.0 or self._done or (self._steps % self._every and time < 1.0):
            return
        masks = self._target(weights_of(model), 1 - (1 - time) ** 3)
        self.set({name: mask & self._start.get(name, True) for name, mask in masks.items()})
        self.apply(model, optimizer)
        self._done = time >= 1.0

    def state_dict(self) -> dict[str, Any]:
        """The masks, and their progress."""
        return {"masks": super().state_dict(), "steps": self._steps, "done": self._done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        super().load_state_dict(state["masks"])
        self._steps, self._done = state["steps"], state["done"]


class SharedWeights:
    """Shared weights: entries of a codebook, trained through it.

    The gradient of a centroid is the sum of the gradients of its members (Deep Compression, equation 3). Zeros stay
    zero, and the assignment of weights to centroids never changes.

    Parameters
    ----------
    model : nn.Module
        Its non-zero weights are clustered and replaced by their centroids.
    bits : BitsRule
    how : Clustering, optional
    grid : int
        Bits, with sign, of a uniform grid for the centroids, one scale for each layer; 0 for none. The optimiser
        updates unrounded centroids, and the network uses the rounded ones.
    vectors : int
        Bits of such a grid for biases and normalisation, rounded element by element; 0 for none.
    half : bool
        Round numbers without a grid to half precision, including biases and normalisation.
    """

    def __init__(
        self,
        model: nn.Module,
        bits: BitsRule,
        how: Clustering | None = None,
        grid: int = 0,
        vectors: int = 0,
        half: bool = False,
    ) -> None:
        self._half = half
        self._codebooks: dict[str, nn.Parameter] = {}
        self._places: dict[str, Tensor] = {}
        self._symbols: dict[str, Tensor] = {}
        self._scales: dict[str, float] = {}
        self._levels: dict[str, int] = {}
        weights = weights_of(model)
        self._pruned = set(weights)
        for name, weight in weights.items():
            count = bits.bits(name, weight.ndim)
            if count is None:
                continue
            places = np.flatnonzero(weight)
            codebook, symbols = cluster(weight.reshape(-1)[places], 1 << count, how)
            self._add(name, codebook, places, symbols, grid)
        if vectors or half:
            for name, vector in model.named_parameters():
                if name not in weights:
                    every = np.arange(vector.numel())
                    self._add(name, vector.detach().numpy().reshape(-1).copy(), every, every, vectors)
        self._write(model)

    def _add(
        self,
        name: str,
        codebook: NDArray[np.float32],
        places: NDArray[np.intp],
        symbols: NDArray[np.intp],
        grid: int,
    ) -> None:
        self._codebooks[name] = nn.Parameter(torch.from_numpy(codebook))
        self._places[name] = torch.from_numpy(places)
        self._symbols[name] = torch.from_numpy(symbols)
        largest = float(np.abs(codebook).max(initial=0.0)) or 1.0
        self._levels[name] = (1 << (grid - 1)) - 1 if grid else 0
        self._scales[name] = float(np.float32(largest / self._levels[name])) if grid else 0.0

    def _values(self, name: str) -> Tensor:
        """A codebook as the network uses it. Zero is excluded, since it means pruned."""
        values, scale = self._codebooks[name].detach(), self._scales[name]
        least = scale or torch.finfo(values.dtype).tiny
        if scale:
            levels = torch.round(values.double() / scale).clamp(-self._levels[name], self._levels[name])
            values = (levels * scale).float() + 0.0  # + 0.0 turns -0 into 0
        elif self._half:
            values, least = values.half().float() + 0.0, torch.finfo(torch.float16).tiny
        if name in self._pruned:
            values = torch.where(values == 0, least, values)
        return values

    def _write(self, model: nn.Module) -> None:
        parameters = dict(model.named_parameters())
        for name in self._codebooks:
            parameter = parameters[name].detach()
            flat = torch.zeros(parameter.numel(), dtype=parameter.dtype)
            flat[self._places[name]] = self._values(name)[self._symbols[name]]
            parameter.copy_(flat.view(parameter.shape))  # its memory may be channels-last

    def replaces(self) -> Mapping[str, nn.Parameter]:
        """The codebooks, which train in place of the shared weights."""
        return self._codebooks

    def before_step(self, model: nn.Module) -> None:
        """Sum the gradients of the weights of each centroid."""
        parameters = dict(model.named_parameters())
        for name, codebook in self._codebooks.items():
            gradient = parameters[name].grad
            if gradient is not None:
                members = gradient.reshape(-1)[self._places[name]]
                codebook.grad = torch.bincount(self._symbols[name], members, len(codebook)).to(codebook.dtype)

    def after_step(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Write the moved centroids back to the weights."""
        self._write(model)

    def state_dict(self) -> dict[str, Any]:
        """The codebooks, and the assignment of weights."""
        codebooks = {name: codebook.detach() for name, codebook in self._codebooks.items()}
        return {"codebooks": codebooks, "places": self._places, "symbols": self._symbols, "scales": self._scales}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint into the same parameters: the optimiser refers to them."""
        self._places, self._symbols = dict(state["places"]), dict(state["symbols"])
        self._scales = dict(state["scales"])
        for name, values in state["codebooks"].items():
            self._codebooks[name].detach().copy_(values)
