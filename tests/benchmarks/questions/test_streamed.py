from __future__ import annotations

from benchmarks.questions import streamed
from benchmarks.suite import Options


def test_each_network_is_compiled_for_each_target() -> None:
    assert list(streamed.cases(Options(networks=("lenet-5",)))) == ["lenet-5 native", "lenet-5 x86-64-v3"]


def test_a_table_has_a_line_for_each_way() -> None:
    sizes = {"flash": 1_234_000, "arena": 500_400, "peak": 501_000, "seconds": 0.25e-3}
    row = {"network": "N", "target": "t", "timer": "wall time", "bit_equal": True, "packed": sizes}
    row |= {"streamed": {**sizes, "flash": 400_000, "seconds": 1.5e-3}}
    (table,) = streamed.tables([row])
    assert table.rows == [
        ("N", "t", "packed", "1,234", "500", "501", "250", ""),
        ("N", "t", "streamed", "400", "500", "501", "1,500", "equal"),
    ]
