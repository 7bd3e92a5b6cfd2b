"""`Sharer`: keeps weights shared while the user's own loop trains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import ConversionError
from ..compression.clustering import Clustering, cluster
from ..compression.sharing import BitsRule, parse_bits
from .layers import check_fits, numbers, plain, weights_of

MAX_GRID = 11
"""Most bits of a grid that a container writes as one."""


@dataclass
class Codebook:
    """The shared weights of a layer: each is an entry of the codebook.

    Attributes
    ----------
    centroids : Tensor of float64, shape (k,)
        Before they are rounded to the grid and to the weight's element type.
    places : Tensor of int64, shape (n,)
        Flat positions of the weights that are not zero.
    symbols : Tensor of int64, shape (n,)
        The entry of each.
    size : int
        Weights of the layer, zeros included.
    scale : float
        Distance of two levels of the grid; 0 without a grid.
    levels : int
        The greatest level.
    """

    centroids: Tensor
    places: Tensor
    symbols: Tensor
    size: int
    scale: float = 0.0
    levels: int = 0

    def values(self, dtype: torch.dtype) -> Tensor:
        """The shared values as a layer holds them. None is zero, which would mean pruned."""
        values, least = self.centroids, torch.finfo(dtype).tiny
        if self.scale:
            values = torch.round(values / self.scale).clamp(-self.levels, self.levels) * self.scale
            least = self.scale
        values = values.to(dtype)
        return torch.where(values == 0, torch.full_like(values, least), values)

    def write(self, weight: Tensor) -> None:
        """Make a weight the shared one."""
        flat = torch.zeros(weight.numel(), dtype=weight.dtype, device=weight.device)
        flat[self.places] = self.values(weight.dtype)[self.symbols]
        weight.copy_(flat.view(weight.shape))  # its memory may be channels-last

    def follow(self, weight: Tensor) -> None:
        """Move each centroid by the mean of what its members moved."""
        members = weight.reshape(-1)[self.places].double()
        sums = torch.zeros_like(self.centroids).index_add_(0, self.symbols, members)
        counts = torch.bincount(self.symbols, minlength=len(self.centroids)).clamp(min=1)
        self.centroids += sums / counts - self.values(weight.dtype).double()

    def to(self, device: torch.device) -> Codebook:
        """The same on another device."""
        moved = (self.centroids.to(device), self.places.to(device), self.symbols.to(device))
        return Codebook(*moved, self.size, self.scale, self.levels)


class Sharer:
    """Shares the weights of a network, and keeps them shared while it trains: trained quantization.

    `attach` clusters the weights that are not zero, layer by layer, and replaces them by their centroids (Deep
    Compression, arXiv 1510.00149, section 3). The loop trains all weights with any optimiser; each `step` moves a
    centroid by the mean of what its members moved, which for SGD is equation 3 of that paper with the mean in place of
    the sum, and writes the centroids back. Zeros stay zero, and no weight changes its centroid.

    Parameters
    ----------
    bits : int, str or BitsRule
        ``5``, or by kind or layer: ``"conv=6,fc=4"``. A layer that the rule leaves out is not shared.
    grid : int
        Bits, with sign, of a uniform grid that centroids are rounded to, with one scale a layer: 2 to 11; 0 for none.
        Such codebooks take almost no bytes in a container.
    init, method, seed, rate
        As in `dcz.converters.compression.clustering.Clustering`: ``method="exact"`` gives the least squared error,
        ``rate`` above zero trades error for shorter codes.
    layers : sequence of str, optional
        Names of the layers to share, or patterns; all convolutions and linear layers without it.

    Raises
    ------
    ConversionError
        An argument that is out of range.
    """

    def __init__(
        self,
        bits: int | str | BitsRule,
        *,
        grid: int = 0,
        init: str = "linear",
        method: str = "kmeans",
        seed: int = 0,
        rate: float = 0.0,
        layers: Sequence[str] | None = None,
    ) -> None:
        self._bits = bits if isinstance(bits, BitsRule) else parse_bits(str(bits))
        if grid and not 2 <= grid <= MAX_GRID:
            raise ConversionError("grid out of range", expected=f"2 to {MAX_GRID} bits, or 0", found=grid)
        self._how = Clustering(init, method, seed, rate=rate)
        self._grid, self._layers = grid, layers
        self._model: nn.Module | None = None
        self._books: dict[str, Codebook] = {}

    def attach(self, model: nn.Module) -> Sharer:
        """Share the weights of a module.

        Parameters
        ----------
        model : nn.Module
            On any device; may be wrapped. Prune it first: zeros are not clustered.

        Returns
        -------
        Sharer
            Itself.

        Raises
        ------
        ConversionError
            The network lacks a layer that `bits` or `layers` names, or holds NaN; or a state that was loaded is of
            another network.
        """
        weights = weights_of(model, self._layers)
        unknown = self._bits.unknown(list(weights))
        if unknown:
            expected = ", ".join(["conv", "fc", *(name.removesuffix(".weight") for name in weights)])
            raise ConversionError(f"the network has no layer {unknown[0]!r}", expected=expected)
        self._model = model
        if not self._books:
            for name, weight in weights.items():
                count = self._bits.bits(name, weight.ndim)
                if count is not None:
                    self._books[name] = self._cluster(name, weight, count).to(weight.device)
        self.apply()
        return self

    def step(self) -> None:
        """Move the centroids as the optimiser moved their members, and share the weights again.

        Call it after ``optimizer.step()``. With DistributedDataParallel call it in every process.
        """
        weights = weights_of(self._attached(), self._layers)
        with torch.no_grad():
            for name, book in self._books.items():
                book.follow(weights[name])
                if not bool(torch.isfinite(book.centroids).all()):
                    hint = "the training diverged: go back to a checkpoint, lower the rate"
                    raise ConversionError(f"{name!r} holds NaN or infinity", hint=hint)
                book.write(weights[name])

    def apply(self, model: nn.Module | None = None) -> None:
        """Share the weights of the attached module again, or of another of the same layers, such as an average."""
        weights = weights_of(self._attached() if model is None else model, self._layers)
        check_fits(self._sizes(), weights)
        with torch.no_grad():
            for name, book in self._books.items():
                book.to(weights[name].device).write(weights[name])

    @property
    def codebooks(self) -> dict[str, Tensor]:
        """The shared values by name of the weight, float32."""
        return {name: book.values(torch.float32) for name, book in self._books.items()}

    def finish(self) -> nn.Module:
        """Share the weights a last time; return the module without its wrappers, which holds nothing of dcz."""
        self.apply()
        return plain(self._attached())

    def state_dict(self) -> dict[str, Any]:
        """The codebooks and who shares them, for a checkpoint; ``torch.load(weights_only=True)`` reads it."""
        return {name: dict(vars(book)) | {"centroids": book.centroids.clone()} for name, book in self._books.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; before or after `attach`. ConversionError says that it is of something else."""
        known = {field.name for field in fields(Codebook)}
        for name, saved in state.items():
            if not isinstance(saved, Mapping) or set(saved) != known:
                raise ConversionError("not the state of a Sharer", where=name, expected=", ".join(sorted(known)))
        self._books = {name: Codebook(**saved) for name, saved in state.items()}
        if self._model is not None:
            weights = weights_of(self._model, self._layers)
            check_fits(self._sizes(), weights)
            self._books = {name: book.to(weights[name].device) for name, book in self._books.items()}
            self.apply()

    def _sizes(self) -> dict[str, int]:
        return {name: book.size for name, book in self._books.items()}

    def _cluster(self, name: str, weight: Tensor, bits: int) -> Codebook:
        flat = numbers(name, weight).reshape(-1)
        places = np.flatnonzero(flat)
        codebook, symbols = cluster(flat[places], 1 << bits, self._how)
        largest, levels = float(np.abs(codebook).max(initial=0.0)) or 1.0, (1 << max(self._grid - 1, 0)) - 1
        scale = float(np.float32(largest / levels)) if self._grid else 0.0
        tensors = torch.from_numpy(codebook).double(), torch.from_numpy(places), torch.from_numpy(symbols)
        return Codebook(*tensors, flat.size, scale, levels)

    def _attached(self) -> nn.Module:
        if self._model is None:
            raise ConversionError("no network is attached", hint="call attach(model) first")
        return self._model
