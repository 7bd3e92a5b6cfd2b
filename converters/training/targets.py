"""Targets of gradual pruning: each gives the masks for any progress from dense to the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from ..compression.pruning import Mask, PruneRule, global_masks, largest_mask, threshold_mask

Weights = Mapping[str, NDArray[Any]]


class Target(Protocol):
    """A target of pruning: a function of the weights by name and the progress, 0 (dense) to 1 (the target)."""

    def __call__(self, weights: Weights, way: float) -> dict[str, Mask]:
        """Masks at this point of the way."""


@dataclass(frozen=True)
class RuleTarget:
    """One threshold rule for every layer; its amount grows with the progress."""

    rule: PruneRule

    def __call__(self, weights: Weights, way: float) -> dict[str, Mask]:
        """Masks at this point of the way."""
        rule = PruneRule(self.rule.kind, self.rule.amount * way)
        return {name: threshold_mask(weight, rule) for name, weight in weights.items()}


@dataclass(frozen=True)
class GlobalTarget:
    """One density for the whole network; see `pruning.global_masks`."""

    density: float
    least: float = 0.0
    score: str = "magnitude"

    def __call__(self, weights: Weights, way: float) -> dict[str, Mask]:
        """Masks at this point of the way."""
        return global_masks(weights, 1 - way * (1 - self.density), self.least, self.score)


@dataclass(frozen=True)
class LayerTarget:
    """A density for each layer, by name or kind ("conv", "fc"); other layers stay dense."""

    densities: Mapping[str, float]

    def __call__(self, weights: Weights, way: float) -> dict[str, Mask]:
        """Masks at this point of the way."""
        masks = {}
        for name, weight in weights.items():
            kind = "conv" if weight.ndim > 2 else "fc"
            density = self.densities.get(name.removesuffix(".weight"), self.densities.get(kind, 1.0))
            masks[name] = largest_mask(weight, round(weight.size * (1 - way * (1 - density))))
        return masks
