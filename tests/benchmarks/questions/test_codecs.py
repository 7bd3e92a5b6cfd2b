"""Codecs of a tiny container: a row a codec, and one of nncodec's coder, in a table."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.questions import codecs
from benchmarks.suite import Options
from dcz.dcformat import write
from dcz.dcformat.encoding.table import CODECS


class Plain:
    """A coder with nncodec's functions, whose streams are the numbers."""

    def initCtxModels(self, *options: int) -> None:  # noqa: N802
        pass

    def encodeLayer(self, numbers: NDArray[np.int32], *options: Any) -> None:  # noqa: N802
        self.stream = numbers.tobytes()

    def finish(self) -> list[int]:
        return list(self.stream)

    def setStream(self, stream: NDArray[np.uint8]) -> None:  # noqa: N802
        self.stream = stream.tobytes()

    def decodeLayer(self, out: NDArray[np.int32], *options: Any) -> None:  # noqa: N802
        out[:] = np.frombuffer(self.stream, np.int32).reshape(out.shape)


def test_a_row_a_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = np.random.default_rng(0).choice(np.float32([0, 0, 0, 0.5, -1]), (20, 60))
    write(tmp_path / "net.dcz", None, {"weight": weight, "bias": weight[0]})
    options = Options(seconds=0.01, peers=tmp_path)
    *rows, missing = codecs.measure(tmp_path / "net.dcz", options)
    assert [row["codec"] for row in rows] == list(CODECS)
    assert "benchmarks.peers nnc" in missing["not_run"]
    assert rows[0]["bytes"] <= rows[1]["bytes"] == (tmp_path / "net.dcz").stat().st_size
    coder = SimpleNamespace(HdspMode=SimpleNamespace(AlwaysOff=0), Encoder=Plain, Decoder=Plain)
    monkeypatch.setattr(codecs, "coder_in", lambda _: coder)
    rows = codecs.measure(tmp_path / "net.dcz", options)
    assert not any(row["problems"] for row in rows)
    assert rows[-1]["bytes"] == 4 * weight.size + 4 * 2  # of the weight alone, with two centroids
    (table,) = codecs.tables([*rows, missing])
    assert [row[1] for row in table.rows] == [*CODECS, codecs.NNC]
    assert table.rows[1][-2] == table.rows[-1][-1] == 1


def test_networks_that_are_measured(tmp_path: Path) -> None:
    (tmp_path / "a.dcz").touch()
    assert list(codecs.cases(Options(models=tmp_path, networks=("alexnet", "vgg-16")))) == ["a", "alexnet"]
