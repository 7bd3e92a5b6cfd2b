"""The zoo's driver, with scripts in the place of the process that converts; and its own networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.questions import zoo
from benchmarks.questions.zoo.networks import ZOO
from benchmarks.suite import Options

WRITE = "import sys, json, pathlib; folder = pathlib.Path(sys.argv[2]); "
ROW = {"network": "own:mlp", "group": "other", "torch_export": "ok"}


def run(tmp_path: Path, code: str, limit: float = 60) -> dict[str, Any]:
    writes = f"(folder / 'row.json').write_text(json.dumps({ROW})); "
    return zoo.measured("own:mlp", tmp_path, [sys.executable, "-c", WRITE + writes + code], 0.0, limit)


def test_a_process_that_ends_well(tmp_path: Path) -> None:
    assert run(tmp_path, "") == ROW


@pytest.mark.parametrize(
    ("code", "limit", "ended"),
    [
        ("raise SystemExit('no library')", 60, "exit code 1: no library"),
        ("import os; os.abort()", 60, "exit code -6: "),
        ("import time; time.sleep(60)", 0.5, "no end after 0.5 s"),
    ],
)
def test_a_process_that_ends_badly_keeps_the_row_so_far(tmp_path: Path, code: str, limit: float, ended: str) -> None:
    found = run(tmp_path, code, limit)
    assert found.pop("ended").startswith(ended)
    assert found in (ROW, {"network": "own:mlp", "group": "other"})  # a slow start may have written nothing yet


def test_tables_count_and_name_what_is_refused() -> None:
    refused = {"network": "timm:b", "group": "cnn", "torch_export": "aten.x: no", "onnx_export": "ok", "onnx": "ok"}
    shares, networks, reasons = zoo.tables([ROW, refused, {"network": "own:c", "group": "cnn", "ended": "killed"}])
    assert shares.rows == [
        ["other", 1, "1 of 1", "", ""],
        ["cnn", 2, "0 of 1", "1 of 1", ""],
        ["all", 3, "1 of 2", "1 of 1", ""],
    ]
    assert len(networks.header) == len(networks.rows[0]) == 8  # no times
    assert [row[:4] for row in networks.rows] == [
        ("own:mlp", "yes", "", ""),
        ("timm:b", "no", "yes", ""),
        ("own:c", "", "", ""),
    ]
    assert reasons.rows == [("timm:b", "torch_export", "aten.x: no"), ("own:c", "process", "killed")]


def test_times_have_columns_where_there_are_any() -> None:
    timed = ROW | {"dcz_ms": 2.0, "dcz_least_ms": 1.5, "speedup": 1.25, "speedup_least": 1.2}
    _, networks, _ = zoo.tables([{"network": "file:b", "group": "files", "onnx": "ok"}, timed])
    assert networks.header[8:] == ("ms", "minimum", "x ONNX Runtime", "of minima")
    assert [row[0] for row in networks.rows] == ["own:mlp", "file:b"]  # in the order of the zoo, not of their ends
    assert [row[8:] for row in networks.rows] == [("2", "1.5", "1.25", "1.2"), ("", "", "", "")]


def test_published_files_are_cases_where_their_folder_is_named() -> None:
    cases = zoo.cases(Options(checkpoints=Path("files")))
    assert len(cases) == len(ZOO) + len(zoo.FILES) == 162 + 12


def test_inputs_of_published_files() -> None:
    """Pages with strokes for images, wherever the channels are; noise for lines; integers of the file's own type."""
    for name, shape in (("file:320n", (2, 3, 320, 320)), ("file:open-nsfw", (2, 224, 224, 3))):
        pages = zoo.FILES[name].batch(2)
        assert (pages.shape, pages.dtype, set(np.unique(pages))) == (shape, np.float32, {-1, 1})
    assert np.ptp(zoo.FILES["file:silero_vad"].batch(1)) > 1.9
    model = zoo.FILES["file:model"]
    assert (model.input_shape, model.batch(2).dtype) == ((2048,), np.int32)


def test_cases_are_all_networks_a_dozen_or_those_named() -> None:
    assert len(zoo.cases(Options())) == len(ZOO) == 162
    assert set(zoo.cases(Options(quick=True))) == set(zoo.QUICK) <= set(ZOO)
    assert list(zoo.cases(Options(networks=("tv:vgg16",)))) == ["tv:vgg16"]


def test_small_networks_answer() -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.questions.zoo.measure import thin

    for name in ("own:mlp", "own:bert-tiny-ids(int64)", "own:yolo-like-3-outputs"):
        module = thin(ZOO[name].build())
        with torch.no_grad():
            answer = module(torch.from_numpy(ZOO[name].batch(2)))
        assert len(answer[0] if isinstance(answer, tuple) else answer) == 2
        weights = [p.detach().numpy() for p in module.parameters() if p.dim() > 1]
        assert all(np.mean(weight == 0) >= 0.79 for weight in weights)
        assert all(len(np.unique(weight)) <= 31 for weight in weights)


def test_an_error_is_told_by_its_first_cause_but_for_our_own() -> None:
    pytest.importorskip("torch")
    from benchmarks.questions.zoo.measure import reason
    from dcz import DczError

    def raised(error: Exception, cause: Exception) -> Exception:
        try:
            raise error from cause
        except type(error) as caught:
            return caught

    cause = ValueError("\x1b[96mno such operator\x1b[0m\nNext steps")
    assert reason(raised(RuntimeError("step 3 of 3 failed"), cause)) == "ValueError: no such operator"
    assert reason(raised(DczError("the network cannot be traced"), cause)) == "DczError: the network cannot be traced"


def test_errors_name_no_folder_of_the_machine(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from benchmarks.questions.zoo.measure import Row

    row = Row(tmp_path / "work" / "row.json", zoo.FILES["file:model"], tmp_path / "files")
    row.path.parent.mkdir()

    def refused() -> dict[str, object]:
        raise ValueError(f"{tmp_path}/files/model.onnx: no; {tmp_path}/work/net.dcz: no")

    assert not row.stage("onnx", refused)
    assert row.figures["onnx"] == "ValueError: model.onnx: no; net.dcz: no"


def test_gains_that_are_all_equal_stay() -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.questions.zoo.measure import thin

    module = torch.nn.Linear(8, 4)
    module.gain = torch.nn.Parameter(torch.full((4, 1, 1), 0.5))
    assert torch.equal(thin(module).gain, torch.full((4, 1, 1), 0.5))
    assert (module.weight == 0).float().mean() >= 0.75
