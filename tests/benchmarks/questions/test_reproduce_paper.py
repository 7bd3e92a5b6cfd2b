"""The paper's tables: our counting gives what its own columns say, and its rows add up to its totals."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest

from benchmarks import energy
from benchmarks.published import FC_LAYERS, TABLES
from benchmarks.questions import reproduce_paper
from benchmarks.reference import CENTROID_BYTES


@pytest.mark.parametrize("name", TABLES)
def test_published_rows_add_up_to_the_published_total(name: str) -> None:
    table = TABLES[name]
    weights = np.array([prod(layer.shape) for layer in table.layers])
    coded = sum(weights * [layer.coded for layer in table.layers]) / weights.sum()
    assert coded == pytest.approx(table.coded, rel=0.09)  # rounded rows, and totals that do not quite add up
    density = sum(weights * [layer.density for layer in table.layers]) / weights.sum()
    assert 0.07 < density < 0.12


def test_counting_gives_the_papers_table_2() -> None:
    *layers, total = reproduce_paper.measure_sizes("lenet-300-100")
    for row in layers:
        entries, codebook = row["entries"], CENTROID_BYTES * 64
        assert row["stored"] == round(row["weights"] * {"ip1": 0.08, "ip2": 0.09, "ip3": 0.26}[row["layer"]])
        assert entries >= row["stored"]
        assert row["shared_bytes"] == entries * (6 + 5) / 8 + codebook
        assert row["coded_bytes"] == pytest.approx(entries * (row["weight_bits"] + row["gap_bits"]) / 8 + codebook)
        assert row["shared_bytes"] / row["weights"] / 4 == pytest.approx(row["published"]["shared"] / 100, rel=0.05)
        assert row["dcz_bytes"] < row["coded_bytes"]
    assert total["weights"] == 266_200
    assert total["coded_bytes"] == pytest.approx(sum(row["coded_bytes"] for row in layers))


def test_every_published_time_is_there() -> None:
    for layer in FC_LAYERS.values():
        assert len(layer.microseconds) == 8
        assert set(layer.watts) <= set(layer.microseconds)
    assert FC_LAYERS["vgg16.fc6"].microseconds["Core i7-5930K", "dense", 1] == 35022.8


def test_tables_have_the_published_figures_beside_ours() -> None:
    rows = reproduce_paper.measure_sizes("lenet-300-100")
    us = {"dcz": 100.0, "eager": 2000.0, "prepacked": 1900.0, "scipy": 900.0}
    found = {"how": "modelled", "dense_uj": 500.0, "dcz_uj": 50.0}
    rows.append(
        {"times": "alexnet.fc7", "batch": 1, "density": 0.09, "timer": "wall time", "us": us, "least_us": us,
         "gpu": "no CUDA device", "energy": found}
    )  # fmt: skip
    sizes, times, joules = reproduce_paper.tables(rows)
    assert [row[0] for row in sizes.rows] == ["ip1", "ip2", "ip3", "total"]
    assert sizes.rows[-1][12] == 2.49
    (row,) = times.rows
    assert row[-6:] == ("no CUDA device", "6187.1", "1282.1", "243.0", "65.8", "20.0 (20.0)")
    assert joules.rows[0][1:5] == ("modelled", "500", "50", "10.0x")


def test_the_energy_model_counts_operations_and_words() -> None:
    # 1000 multiply-adds of 4.6 pJ, 10 words from DRAM of 640 pJ, 20 activations of 5 pJ
    assert energy.model(1000, 40, 20) == pytest.approx((4600 + 6400 + 100) / 1e6)


def test_energy_is_measured_where_there_are_counters(tmp_path: Path) -> None:
    assert energy.counter_files(tmp_path) == []
    file = tmp_path / "intel-rapl:0" / "energy_uj"
    file.parent.mkdir()
    file.write_text("1000")
    assert energy.counter_files(tmp_path) == [file]

    def run() -> None:
        file.write_text(str(int(file.read_text()) + 7))

    assert energy.count(run, [file], seconds=0.01) == pytest.approx(7)
