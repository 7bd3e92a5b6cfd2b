"""Containers converted to containers: everything is carried over, whatever the codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.dcformat import ConversionError, Graph, Preprocess, encode, make_node, write
from dcz.dcformat.encoding.table import CODECS, Encoding


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A container as dcz 0.2 writes it."""
    rng = np.random.default_rng(0)
    weight = rng.choice(np.float32([0] * 9 + [0.5] * 5 + [-0.25]), (8, 3000))
    tensors = {"weight": weight, "bias": np.arange(8, dtype=np.float32)}
    graph = Graph((3000,), (make_node("linear", (0,), {"weight": "weight", "bias": "bias"}),), 1)
    path = tmp_path / "old.dcz"
    write(
        path,
        graph,
        {name: encode(name, tensor, CODECS["huffman"]) for name, tensor in tensors.items()},
        labels=list("abcdefgh"),
        preprocess=Preprocess(mode="L", mean=(0.5,), std=(0.25,)),
        metadata={"source": "a test"},
        tied={"again": "weight"},
    )
    return path


def test_everything_is_carried_over(old: Path, tmp_path: Path) -> None:
    report = dcz.convert(old, tmp_path / "new.dcz")
    assert report.lossless
    with dcz.open(old) as before, dcz.open(tmp_path / "new.dcz") as after:
        assert (before.format_version, after.format_version) == ("1.0", "1.1")
        assert after.entries["weight"].encoding == Encoding.CONTEXT
        assert after.graph == before.graph
        assert after.labels == before.labels
        assert after.preprocess == before.preprocess
        assert after.metadata == before.metadata
        assert after.tied == before.tied == {"again": "weight"}
        for name in before.entries:
            assert after.tensor(name).tobytes() == before.tensor(name).tobytes()
    assert (tmp_path / "new.dcz").stat().st_size < old.stat().st_size


def test_huffman_gives_the_old_bytes(old: Path, tmp_path: Path) -> None:
    dcz.convert(old, tmp_path / "new.dcz")
    dcz.convert(tmp_path / "new.dcz", tmp_path / "again.dcz", codec="huffman")
    assert (tmp_path / "again.dcz").read_bytes() == old.read_bytes()


def test_smallest_admits_the_encoding_that_decodes_slowly(tmp_path: Path) -> None:
    model = Path(__file__).parents[3] / "models" / "lenet_300_100.dcz"
    dcz.convert(model, tmp_path / "default.dcz")
    dcz.convert(model, tmp_path / "smallest.dcz", codec="smallest")
    with dcz.open(tmp_path / "default.dcz") as default, dcz.open(tmp_path / "smallest.dcz") as smallest:
        assert Encoding.MIXED not in {entry.encoding for entry in default.entries.values()}
        assert smallest.entries["fc1.weight"].encoding == Encoding.MIXED
        for name in default.entries:
            assert smallest.tensor(name).tobytes() == default.tensor(name).tobytes()
    assert (tmp_path / "smallest.dcz").stat().st_size < (tmp_path / "default.dcz").stat().st_size


def test_a_container_is_not_written_over(old: Path) -> None:
    with pytest.raises(ConversionError, match="not written over"):
        dcz.convert(old)


def test_unknown_codec(old: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="unknown codec"):
        dcz.convert(old, tmp_path / "new.dcz", codec="zip")
