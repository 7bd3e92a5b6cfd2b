"""Artefacts of course works on Deep Compression: the network of each stage, codebooks, Huffman codes, a summary.

Plain arrays: every ``.npy`` loads without pickle, and every ``.pt`` with ``weights_only=True``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...dcformat.coding.huffman import canonical_codes, code_lengths
from .checkpoints import save
from .constraints import weights_of

STAGES = ("before_pruning", "after_pruning", "after_quantization")


def write_artefacts(folder: Path, name: str, networks: Mapping[str, Mapping[str, Tensor]], model: nn.Module) -> None:
    """Write the artefacts of a run.

    - ``net_STAGE.pt``: state dict of each stage in `networks`.
    - ``codebook_NAME.npy``: records (layer, value), the clusters of every layer, ascending.
    - ``huffman_encoding.npy``: records (layer, value, code), the code as a string of 0 and 1.
    - ``huffman_freq.npy``: records (layer, value, count).
    - ``summary.txt``: `layer_summary`.

    Parameters
    ----------
    folder : Path
        Created if missing.
    name : str
        Name of the network, for the codebook's file name.
    networks : mapping of str to state dict
        Keys from `STAGES`.
    model : nn.Module
        The network of the last stage. Layers with more than 256 distinct values have no codebook.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stage, state in networks.items():
        save(dict(state), folder / f"net_{stage}.pt")
    rows: list[tuple[str, float, str, int]] = []
    for layer, weight in weights_of(model).items():
        values, counts = np.unique(weight[weight != 0], return_counts=True)
        if 0 < len(values) <= 256:
            codes = canonical_codes(code_lengths(counts))
            rows += [(layer, v, codes[i].to01(), n) for i, (v, n) in enumerate(zip(values, counts, strict=True))]
    width = max((len(layer) for layer, *_ in rows), default=1)
    longest = max((len(code) for _, _, code, _ in rows), default=1)
    kinds = [("layer", f"U{width}"), ("value", "f4"), ("code", f"U{max(longest, 1)}"), ("count", "i8")]
    table = np.array(rows, dtype=kinds)
    np.save(folder / f"codebook_{name}.npy", table[["layer", "value"]])
    np.save(folder / "huffman_encoding.npy", table[["layer", "value", "code"]])
    np.save(folder / "huffman_freq.npy", table[["layer", "value", "count"]])
    (folder / "summary.txt").write_text(layer_summary(model) + "\n", encoding="utf-8")


def layer_summary(model: nn.Module) -> str:
    """Table of the layers as the course tools print it: id, type, parameters, non-zero parameters, sparsity."""
    names = {nn.Conv2d: "Convolutional", nn.Linear: "Linear", nn.BatchNorm1d: "BatchNorm", nn.BatchNorm2d: "BatchNorm"}
    lines = [f"{'Layer id':<10}{'Type':<16}{'Parameter':>12}{'Non-zero':>12}{'Sparsity':>12}"]
    total = nonzero = 0
    layers = [m for m in model.modules() if not list(m.children())]
    for number, layer in enumerate(layers, 1):
        kind = names.get(type(layer), type(layer).__name__)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            size, alive = layer.weight.numel(), int(torch.count_nonzero(layer.weight))
            total, nonzero = total + size, nonzero + alive
            lines.append(f"{number:<10}{kind:<16}{size:>12}{alive:>12}{1 - alive / size:>12.6f}")
        else:
            lines.append(f"{number:<10}{kind:<16}{'N/A':>12}{'N/A':>12}{'N/A':>12}")
    lines += [
        f"Total nonzero parameters: {nonzero}",
        f"Total parameters: {total}",
        f"Total sparsity: {1 - nonzero / max(total, 1):.6f}",
    ]
    return "\n".join(lines)
