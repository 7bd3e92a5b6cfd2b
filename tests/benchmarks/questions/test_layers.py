"""Single layers: timed beside oneDNN and torch, counted by kind, and cold where they should be."""

from __future__ import annotations

import pytest

from benchmarks.interleaved import cold_clock
from benchmarks.kernels import LAYERS, Conv, Linear
from benchmarks.questions import layers
from benchmarks.suite import Options


def test_a_layer_is_timed_beside_dense_ones() -> None:
    (row,) = layers.measure(Linear("small", (32, 8), 0.3, cold=False), Options(seconds=0.0))
    assert set(row["engines"]) == set(row["ratios"]) | {"dcz"} == {"dcz", "prepacked", "eager"}
    assert row["group"] == "fully connected, warm"
    assert 0 < row["macs"] < 32 * 8


@pytest.mark.parametrize(
    ("layer", "group"),
    [
        (Linear("alexnet.fc6", (4, 4), 0.1), "fully connected, cold"),
        (Conv("alexnet.conv1", (3, 4), 8, 3, 0.8), "convolutions, AlexNet and VGG-16"),
        (Conv("alexnet.conv3.10", (3, 4), 8, 3, 0.1), "convolutions, a tenth of the weights"),
        (Conv("lenet5.conv1", (3, 4), 8, 3, 0.8), "convolutions, other networks"),
        (Conv("depthwise", (4, 4), 8, 3, 1.0, groups=4), "convolutions, dense"),
    ],
)
def test_layers_are_counted_by_kind(layer: Conv | Linear, group: str) -> None:
    assert layers.group(layer) == group


def test_every_layer_is_a_case_of_its_own() -> None:
    assert len(layers.cases(Options())) == 1 + len(LAYERS)


def test_means_are_geometric() -> None:
    def row(layer: str, group: str, times: float) -> dict[str, object]:
        figures = {"median": times, "of_least": 2 * times}
        timed = {name: {"median_ms": 2.0} for name in layers.ENGINES}
        ratios = {name: figures for name in layers.ENGINES[1:]}
        common = {"timer": "wall time", "chosen": "k", "density": 0.3, "macs": 20_000_000}
        return {"layer": layer, "group": group, "engines": timed, "ratios": ratios, **common}

    large, other = "convolutions, AlexNet and VGG-16", "convolutions, other networks"
    rows = [{"peaks": {"gmacs": 50.0}}, row("a", large, 1.0), row("b", large, 4.0), row("c", other, 2.0)]
    means, first, second = layers.tables(rows)
    assert means.rows[0] == (large, 2, "2.00 (4.00)", "2.00 (4.00)")
    assert means.rows[-1][1:] == (3, "2.00 (4.00)", "2.00 (4.00)")
    assert first.rows[0] == ("a", "k", "0.30", "2,000", "2,000", "2,000", "1.00 (2.00)", "1.00 (2.00)", "20")
    assert len(second.rows) == 1


def test_a_cold_clock_times_the_runs_alone() -> None:
    times = iter(range(100))
    runs: list[int] = []
    assert cold_clock(lambda: runs.append(1), lambda: float(next(times)))(3) == 3.0
    assert len(runs) == 3
