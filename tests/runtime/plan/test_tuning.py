"""Kernels picked by trial, and the file that keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import kernel_cases as cases
import numpy as np
import pytest

import dcz
from dcz.core.timing import Interleaved
from dcz.dcformat import Graph, InputError, make_node, write
from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.plan import select, tuning
from dcz.runtime.plan.problem import Choice
from dcz.runtime.plan.tuning import Tuning

GEOMETRY = ConvGeometry(1, 8, 12, 12, 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, 12, 12)
WEIGHT = cases.make_weight(np.random.default_rng(0), (16, 8, 3, 3), 0.3, "sparse_shared", 15)
EPILOGUE = Epilogue(residual=True)


def timed(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> list[list[str]]:
    """Let trials find these seconds for a choice, one second for others; gives the names that were tried."""
    tried: list[list[str]] = []

    class Measured(Interleaved):
        def rounds(self, budget: float, least: int = 5, most: int = 200) -> int:
            tried.append(list(self.seconds))
            return 1

        def round(self) -> None:
            for name, found in self.seconds.items():
                found.append(seconds.get(name.split()[0], 1.0))

    monkeypatch.setattr(tuning, "Interleaved", Measured)
    return tried


def choices() -> list[Choice]:
    """One of each kernel, and nothing unlikely."""
    best = {choice.kernel: choice for choice in reversed(select.conv_choices(WEIGHT, GEOMETRY, EPILOGUE))}
    return [choice._replace(cycles=1.0) for choice in best.values()]


@pytest.mark.parametrize("picked", ["conv_sparse", "conv_dense"])
def test_the_fastest_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picked: str) -> None:
    tried = timed(monkeypatch, **{picked: 0.5})
    path = tmp_path / "tuning.json"
    tuned = Tuning(path)
    for _ in range(2):
        assert tuned.pick(choices(), WEIGHT, GEOMETRY, EPILOGUE, 1).kernel_name == picked
    assert tried == [[choice.name for choice in choices()]]
    tuned.save()
    timed(monkeypatch)
    assert Tuning(path).pick(choices(), WEIGHT, GEOMETRY, EPILOGUE, 1).kernel_name == picked


def test_the_estimate_stands_where_a_trial_says_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = choices()
    timed(monkeypatch, **{listed[1].kernel: 0.99})
    assert Tuning(tmp_path / "a").pick(listed, WEIGHT, GEOMETRY, EPILOGUE, 1).kernel_name == listed[0].kernel
    tried = timed(monkeypatch, **{listed[1].kernel: 0.5})
    listed[1:] = [choice._replace(cycles=10.0) for choice in listed[1:]]
    assert Tuning(tmp_path / "a").pick(listed, WEIGHT, GEOMETRY, EPILOGUE, 1).kernel_name == listed[0].kernel
    assert tried == []


def test_a_pick_of_other_kernels_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tuning.json"
    tried = timed(monkeypatch)
    Tuning(path).save()
    assert not path.exists()
    tuned = Tuning(path)
    tuned.pick(choices(), WEIGHT, GEOMETRY, EPILOGUE, 1)
    tuned.save()
    content = json.loads(path.read_text())
    content["picks"] = dict.fromkeys(content["picks"], "conv_of_tomorrow 3x3")
    path.write_text(json.dumps(content))
    assert Tuning(path).pick(choices(), WEIGHT, GEOMETRY, EPILOGUE, 1).kernel_name.startswith("conv_")
    assert len(tried) == 2


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2, "picks": {}}', '{"format": 1}', "\xff"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tuning.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="not a tuning file"):
        Tuning(path)
    assert path.read_bytes() == text.encode("latin-1")


def test_a_network_with_tuned_kernels(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(16, 8, 3, 3)).astype(np.float32) * (rng.random((16, 8, 3, 3)) < 0.4)
    node = make_node("conv2d", [0], {"weight": "w"}, {"padding": (1, 1)})
    path, file = tmp_path / "net.dcz", tmp_path / "tuning.json"
    write(path, Graph((8, 12, 12), (node,), 1), {"w": weight})
    x = rng.normal(size=(21, 8, 12, 12)).astype(np.float32)  # in slices of 16, 4 and 1
    plain, tuned = dcz.load(path, threads=1), dcz.load(path, threads=1, tuning=file)
    picks = json.loads(file.read_text())["picks"]
    assert [key.split("lanes=")[1] for key in picks] == ["1"]
    answers = tuned(x)
    np.testing.assert_allclose(answers, plain(x), rtol=0, atol=1e-5 * np.abs(answers).max())
    assert sorted(key.split("lanes=")[1] for key in json.loads(file.read_text())["picks"]) == ["1", "16"]
    assert np.array_equal(answers[16:], np.concatenate([tuned(sample[None]) for sample in x[16:]]))
    before = file.stat().st_mtime_ns
    assert np.array_equal(dcz.load(path, threads=1, tuning=file)(x), answers)
    assert file.stat().st_mtime_ns == before
