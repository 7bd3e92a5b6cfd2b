from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.dcformat import Dense, FormatError
from dcz.reporting import Facts, collect
from dcz.reporting.facts import Checkpoint, fixed_width, stages


def test_layers_are_the_float_tensors_with_axes_and_nothing_is_lost(facts: Facts) -> None:
    names = [layer.name for layer in facts.layers]
    assert names == [
        "conv.weight", "fc.weight", "raw", "sparse_raw", "half", "bf16", "zeros", "broken", "empty"
    ]  # fmt: skip
    others = [row["name"] for row in facts.others]
    assert sorted(names + others) == sorted(row["name"] for row in facts.info["tensors"])


def test_histograms_count_every_stored_weight_and_symbol(facts: Facts, container: Path) -> None:
    with dcz.open(container) as opened:
        for layer in facts.layers:
            array = opened.tensor(layer.name)
            nonzero = np.count_nonzero(array)
            if layer.name == "broken":
                nonzero = 1
            assert (sum(layer.spread.counts) if layer.spread else 0) == nonzero
            if layer.symbols:
                stored = array.size if layer.row["encoding"] == "shared" else np.count_nonzero(array)
                assert sum(layer.symbols.used) == stored
                assert sum(layer.symbols.codes) == layer.row["codebook_size"]
                bits = sum(length * count for length, count in enumerate(layer.symbols.used))
                bits *= layer.row["codebook_size"] > 1  # a single symbol takes no bits
                assert bits <= 8 * layer.row["bytes"]["symbols"] < bits + 8
            if layer.gaps:
                assert sum(layer.gaps.used) >= layer.row["nnz"]
                bits = sum(length * count for length, count in enumerate(layer.gaps.used))
                assert bits <= 8 * layer.row["bytes"]["gaps"] < bits + 8


def test_the_file_is_identified(facts: Facts, container: Path) -> None:
    content = container.read_bytes()
    assert facts.sha256 == hashlib.sha256(content).hexdigest()
    assert facts.crc32 == zlib.crc32(content)
    assert facts.file == "all.dcz"
    assert dict(facts.metadata) == {"source": "a test", "license": "CC0"}


def row(name: str, shape: list[int], nnz: int, **more: object) -> dict[str, object]:
    return {"name": name, "shape": shape, "nnz": nnz, "dtype": "F32", "gap_bits": None, "codebook_size": None} | more


def test_each_stage_counts_what_was_done_to_the_tensor() -> None:
    info = {
        "dense_bytes": 4 * (100 + 100 + 100 + 5),
        "file_bytes": 77,
        "tensors": [
            row("sparse", [10, 10], 20, gap_bits=3, codebook_size=16),
            row("shared", [10, 10], 98, codebook_size=5),
            row("pruned", [10, 10], 30, gap_bits=4),
            row("bias", [5], 5),
            row("counter", [], 1, dtype="I64"),
        ],
    }
    made = stages(info, None, {"sparse": 23, "shared": 0, "pruned": 31, "bias": 0, "counter": 0})
    gaps = {"sparse": 9, "pruned": 16}  # 23 of 3 bits, 31 of 4 bits, in whole bytes
    pruned = (4 * 20 + gaps["sparse"]) + 4 * 100 + (4 * 30 + gaps["pruned"]) + 4 * 5
    shared = (20 * 4 // 8 + gaps["sparse"] + 4 * 16) + (38 + 4 * 5) + (4 * 30 + gaps["pruned"]) + 4 * 5
    assert [(stage.name, stage.nbytes) for stage in made] == [
        ("fp32", 4 * 305), ("pruned", pruned), ("shared", shared), ("coded", 77)
    ]  # fmt: skip


def test_stages_of_a_container_begin_and_end_with_its_own_figures(facts: Facts) -> None:
    assert facts.stages[0].nbytes == facts.info["dense_bytes"]
    assert facts.stages[-1].nbytes == facts.info["file_bytes"]
    assert facts.stages[2].nbytes < facts.stages[1].nbytes < facts.stages[0].nbytes


@pytest.mark.parametrize(("codes", "bits"), [(None, 0), (1, 0), (2, 1), (3, 2), (16, 4), (17, 5), (256, 8)])
def test_fixed_width(codes: int | None, bits: int) -> None:
    assert fixed_width(codes) == bits


def test_against_a_checkpoint(container: Path) -> None:
    with dcz.open(container) as opened:
        before = opened.tensor("fc.weight") + np.float32(0.5)
    calls = []

    def errors(a: Dense, b: Dense) -> tuple[float, float]:
        calls.append((a.array - b.array).max())
        return 0.5, 0.5

    tensors = {"fc.weight": Dense(before, "F32"), "raw": Dense(np.zeros((3, 3), np.float32), "F32")}
    facts = collect(container, Checkpoint("model.pt", tensors, errors))
    found = {layer.name: layer for layer in facts.layers}
    assert facts.against == "model.pt"
    assert calls == [0.5]
    assert found["fc.weight"].errors == (0.5, 0.5)
    assert found["fc.weight"].spread is not None
    assert sum(found["fc.weight"].spread.before or []) == np.count_nonzero(before)
    assert found["raw"].errors is None  # another shape: not the same tensor


def test_a_damaged_container_makes_no_report(container: Path, tmp_path: Path) -> None:
    content = bytearray(container.read_bytes())
    content[-40] ^= 1
    damaged = tmp_path / "damaged.dcz"
    damaged.write_bytes(content)
    with pytest.raises(FormatError, match=r"damaged\.dcz"):
        collect(damaged)
