"""Codecs of a tiny container: a row a codec, in a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import codecs
from dcz.dcformat import write
from dcz.dcformat.encoding.table import CODECS


def test_a_row_a_codec(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).choice(np.float32([0, 0, 0, 0.5, -1]), (20, 60))
    write(tmp_path / "net.dcz", None, {"weight": weight})
    rows = codecs.measure(tmp_path / "net.dcz", 0.01)
    assert [row["codec"] for row in rows] == list(CODECS)
    assert not any(row["problems"] for row in rows)
    assert rows[0]["bytes"] <= rows[1]["bytes"] == (tmp_path / "net.dcz").stat().st_size
    (table,) = codecs.tables(rows)
    assert [len(row) for row in table.rows] == [len(table.header)] * len(CODECS)
