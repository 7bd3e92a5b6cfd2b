"""`Pruner`: prunes a network while the user's own loop trains it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import ConversionError, listed
from ..compression.pruning import PruneRule, parse_prune
from ..training.targets import GlobalTarget, LayerTarget, RuleTarget, Target
from .layers import check_fits, numbers, plain, weights_of

log = logging.getLogger(__name__)

Amount = str | PruneRule | float | Mapping[str, float]


class Pruner:
    """Prunes a network step by step while it trains; the pruned weights are exactly zero after each `step`.

    The density falls from 1 to its target along ``1 - (1 - t)**3``, fast at first and gently at the end (Zhu and Gupta
    2017, arXiv 1710.01878, equation 1). A pruned weight stays pruned.

    Parameters
    ----------
    amount : str, PruneRule, float, or mapping of str to float
        ``"percent:80"`` or ``"std:0.75"``: a threshold rule for every layer. A number: the density of the whole
        network, which `score` divides among the layers. A mapping: the density of each layer, by its name, ``conv`` or
        ``fc``; `dcz.compression.sensitivity` proposes one.
    begin, end : int
        Steps at which the density begins to fall, and at which it has its target. With ``end=0`` the network is pruned
        when it is attached.
    every : int
        Steps between two changes of the masks.
    score : {"lamp", "magnitude"}
        With a number as `amount`: what compares weights of different layers (LAMP: Lee et al. 2021, arXiv 2010.07611).
    least : float
        With a number as `amount`: least density of a layer.
    layers : sequence of str, optional
        Names of the layers to prune, or patterns such as ``features.*``; all convolutions and linear layers without it.

    Raises
    ------
    ConversionError
        An amount that is out of range.

    Examples
    --------
    >>> pruner = Pruner("percent:80", begin=0, end=1000).attach(model, optimizer)   # doctest: +SKIP
    >>> for images, labels in loader:                                               # doctest: +SKIP
    ...     loss(model(images), labels).backward()
    ...     optimizer.step()
    ...     pruner.step()
    """

    def __init__(
        self,
        amount: Amount,
        *,
        begin: int = 0,
        end: int = 0,
        every: int = 50,
        score: str = "lamp",
        least: float = 0.0,
        layers: Sequence[str] | None = None,
    ) -> None:
        if not 0 <= begin <= end or every < 1:
            found = f"begin {begin}, end {end}, every {every}"
            raise ConversionError("steps out of range", expected="0 <= begin <= end, every >= 1", found=found)
        self._target = _target(amount, score, least)
        self._begin, self._end, self._every, self._layers = begin, end, every, layers
        self._model: nn.Module | None = None
        self._optimizer: torch.optim.Optimizer | None = None
        self._masks: dict[str, Tensor] = {}
        self._steps = 0

    def attach(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Pruner:
        """Begin to prune a module.

        Parameters
        ----------
        model : nn.Module
            On any device; may be wrapped by DistributedDataParallel or torch.compile. Weights that are zero already
            count as pruned once a mask is made.
        optimizer : torch.optim.Optimizer, optional
            The momenta of pruned weights are zeroed, so that none is carried on.

        Returns
        -------
        Pruner
            Itself.

        Raises
        ------
        ConversionError
            The network lacks a layer that `amount` or `layers` names, or holds NaN; or a state that was loaded is of
            another network.
        """
        weights = weights_of(model, self._layers)
        if isinstance(self._target, LayerTarget):
            known = {"conv", "fc", *(name.removesuffix(".weight") for name in weights)}
            unknown = [name for name in self._target.densities if name not in known]
            if unknown:
                raise ConversionError(f"the network has no layer {unknown[0]!r}", expected=", ".join(sorted(known)))
        self._model, self._optimizer = model, optimizer
        if self._end == 0 and not self._masks:
            self._tighten(1.0)
        self.apply()
        return self

    def step(self) -> None:
        """Count a step of the optimiser, tighten the masks where it is time, and zero the pruned weights.

        Call it after ``optimizer.step()``: once a step, not once a batch where gradients are accumulated. With
        DistributedDataParallel call it in every process; all make the same masks.
        """
        self._steps += 1
        span = self._end - self._begin
        time = min(1.0, (self._steps - self._begin) / span) if span else 1.0
        due = self._steps == self._end or (self._steps < self._end and self._steps % self._every == 0)
        if due and time > 0:
            self._tighten(1 - (1 - time) ** 3)
        self.apply()

    def apply(self, model: nn.Module | None = None) -> None:
        """Zero the pruned weights of the attached module, or of another of the same layers, such as an average."""
        weights = weights_of(self._attached() if model is None else model, self._layers)
        check_fits({name: mask.numel() for name, mask in self._masks.items()}, weights)
        with torch.no_grad():
            for name, mask in self._masks.items():
                weight, pruned = weights[name], ~mask.to(weights[name].device)
                weight.masked_fill_(pruned, 0.0)
                state = self._optimizer.state.get(weight, {}) if model is None and self._optimizer else {}
                for value in state.values():
                    if isinstance(value, Tensor) and value.shape == weight.shape:
                        value.masked_fill_(pruned, 0.0)

    @property
    def density(self) -> float:
        """Share of the weights that are not pruned."""
        if not self._masks:
            return 1.0
        return sum(int(m.sum()) for m in self._masks.values()) / sum(m.numel() for m in self._masks.values())

    @property
    def masks(self) -> dict[str, Tensor]:
        """A copy of the masks by name of the weight: True where it stays. Empty before the first is made."""
        return {name: mask.clone() for name, mask in self._masks.items()}

    def finish(self) -> nn.Module:
        """Zero the pruned weights a last time; return the module without its wrappers, which holds nothing of dcz.

        A warning says so if the loop ended before step `end`, so that the density has not reached its target.
        """
        self.apply()
        if self._steps < self._end:
            what = "pruning ended at step %d, before its last at %d: %.3g of the weights stay"
            log.warning(what, self._steps, self._end, self.density)
        return plain(self._attached())

    def state_dict(self) -> dict[str, Any]:
        """The masks and the number of steps, for a checkpoint; ``torch.load(weights_only=True)`` reads it."""
        return {"masks": self.masks, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; before or after `attach`. ConversionError says that it is of something else."""
        if "masks" not in state or "steps" not in state:
            raise ConversionError("not the state of a Pruner", expected="masks, steps", found=listed(state))
        self._masks, self._steps = dict(state["masks"]), int(state["steps"])
        if self._model is not None:
            self.apply()

    def _tighten(self, way: float) -> None:
        weights = weights_of(self._attached(), self._layers)
        masks = self._target({name: numbers(name, weight) for name, weight in weights.items()}, way)
        for name, mask in masks.items():
            made, device = torch.from_numpy(mask.copy()), weights[name].device
            self._masks[name] = (self._masks[name].cpu() & made if name in self._masks else made).to(device)

    def _attached(self) -> nn.Module:
        if self._model is None:
            raise ConversionError("no network is attached", hint="call attach(model) first")
        return self._model


def _target(amount: Amount, score: str, least: float) -> Target:
    if isinstance(amount, Mapping):
        densities = {name: float(density) for name, density in amount.items()}
    else:
        densities = {} if isinstance(amount, str | PruneRule) else {"whole network": float(amount)}
    for name, density in densities.items():
        if not 0 < density <= 1:
            raise ConversionError("density out of range", where=name, expected="0 < density <= 1", found=density)
    if isinstance(amount, str):
        return RuleTarget(parse_prune(amount))
    if isinstance(amount, PruneRule):
        return RuleTarget(amount)
    return LayerTarget(densities) if isinstance(amount, Mapping) else GlobalTarget(float(amount), least, score)
