"""The hand-in set: readable without pickle, and true to the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dcz.converters.architectures import ARCHITECTURES
from dcz.converters.compression.sharing import share_weights
from dcz.converters.convert import convert
from dcz.converters.training.artefacts import layer_summary, write_artefacts
from dcz.converters.training.constraints import weights_of


def test_artefacts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES["lenet_300_100"].factory()
    weights = weights_of(model)
    for weight in weights.values():
        weight[np.abs(weight) < 0.03] = 0
        weight[...] = share_weights(weight, 4)
    write_artefacts(tmp_path / "set", "lenet", {"after_quantization": model.state_dict()}, model)

    codebook = np.load(tmp_path / "set" / "codebook_lenet.npy", allow_pickle=False)
    codes = np.load(tmp_path / "set" / "huffman_encoding.npy", allow_pickle=False)
    counts = np.load(tmp_path / "set" / "huffman_freq.npy", allow_pickle=False)
    for name, weight in weights.items():
        values, expected = np.unique(weight[weight != 0], return_counts=True)
        own = codes[codes["layer"] == name]
        assert np.array_equal(codebook[codebook["layer"] == name]["value"], values)
        assert np.array_equal(counts[counts["layer"] == name]["count"], expected)
        assert sum(2.0 ** -len(code) for code in own["code"]) == 1.0  # a complete prefix code
        assert not any(a != b and b.startswith(a) for a in own["code"] for b in own["code"])
        lengths = np.array([len(code) for code in own["code"]])
        share = expected / expected.sum()
        assert 0 <= (share * lengths).sum() + (share * np.log2(share)).sum() < 1  # within a bit of the entropy

    report = convert(tmp_path / "set" / "net_after_quantization.pt", tmp_path / "net.dcz")
    assert report.lossless
    assert report.info["nodes"] > 0
    summary = (tmp_path / "set" / "summary.txt").read_text()
    assert summary == layer_summary(model) + "\n"
    assert "Total parameters: 266200" in summary
    nonzero = sum(int(np.count_nonzero(w)) for w in weights.values())
    assert f"Total nonzero parameters: {nonzero}" in summary


def test_summary_lists_layers_without_weights() -> None:
    lines = layer_summary(ARCHITECTURES["vgg16_half"].factory()).splitlines()
    assert lines[1].split() == ["1", "Convolutional", "864", "864", "0.000000"]
    assert lines[2].split() == ["2", "BatchNorm", "N/A", "N/A", "N/A"]
    assert lines[3].split()[1] == "ReLU"
    assert lines[-2] == "Total parameters: 3811680"
