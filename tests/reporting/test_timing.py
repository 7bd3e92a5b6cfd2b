from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dcz.dcformat import FormatError, InputError, write
from dcz.dcformat import open as open_container
from dcz.reporting import measure, read_bench, timing

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.dcz"))
LAYERS = [
    {"op": "conv2d", "weight": "conv.weight", "kernel": "conv_sparse", "weight_bytes": 10, "us": 12.5},
    {"op": "relu", "weight": None, "kernel": "clamp", "weight_bytes": 0, "us": 1},
]
DOCUMENT: dict[str, Any] = {
    "machine": {"cpu": "Abacus 1"}, "runs": [{"batch": 2, "threads": 1}], "layers": LAYERS
}  # fmt: skip


def test_what_bench_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(DOCUMENT))
    times = read_bench(path, {"conv.weight"})
    assert times.conditions == "batch 2, 1 thread; Abacus 1"
    assert [(row.name, row.kernel, row.microseconds, row.dense) for row in times.rows] == [
        ("conv.weight", "conv_sparse", 12.5, None), ("relu", "clamp", 1.0, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "\xff", "[" * 10**5,
        json.dumps(DOCUMENT | {"layers": 3}),
        json.dumps(DOCUMENT | {"layers": [{}]}),
        json.dumps(DOCUMENT | {"layers": [LAYERS[0] | {"us": "12"}]}),
        json.dumps(DOCUMENT | {"layers": [LAYERS[0] | {"us": -1}]}),
        json.dumps(DOCUMENT | {"layers": [LAYERS[0] | {"us": float("nan")}]}),
        json.dumps(DOCUMENT | {"runs": []}),
    ],
    ids=range(11),
)  # fmt: skip
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"bench\.json: holds no times of layers; .*dcz bench MODEL\.dcz --layers"):
        read_bench(path, {"conv.weight"})


def test_times_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(DOCUMENT))
    with pytest.raises(InputError, match=r"another network \(found layer 'conv\.weight'\)"):
        read_bench(path, {"other"})


def test_layers_are_measured_as_stored_and_dense(small_container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    seen = []

    def progress(items: Any, unit: str, total: int) -> Any:
        seen.append((unit, total))
        return items

    monkeypatch.setattr(timing, "progress", progress)
    times = measure(small_container)
    assert seen == [("round", timing.LEAST)]
    named = {row.name: row for row in times.rows}
    assert {"conv.weight", "fc.weight", "max_pool2d"} <= set(named)
    assert all(row.microseconds > 0 for row in times.rows)
    assert {row.name for row in times.rows if row.dense} == {"conv.weight", "fc.weight"}
    assert "batch 1, 1 thread" in times.conditions


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_model_is_measured_though_its_dense_plan_may_fuse_other_pools(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    monkeypatch.setattr(timing, "LEAST", 1)
    with open_container(path) as container:
        assert container.graph is not None
        weights = {node.params["weight"] for node in container.graph.nodes if node.op in ("conv2d", "linear")}
    assert {row.name for row in measure(path).rows if row.dense} == weights


def test_weights_alone_have_no_times(tmp_path: Path) -> None:
    path = tmp_path / "weights.dcz"
    write(path, None, {})
    with pytest.raises(FormatError, match="no graph"):
        measure(path)
