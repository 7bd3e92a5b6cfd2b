"""The dense baselines, on the CPU; the CUDA path with a stand-in for its events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import dcz
from dcz.converters.convert import convert
from dcz.converters.torch import baseline


@pytest.fixture(autouse=True)
def same_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    yield
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = flags


@pytest.fixture
def batch() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 1, 8, 8), dtype=np.float32)


@pytest.mark.parametrize("mode", ["eager", "channels_last"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-6), ("tf32", 1e-6), ("fp16", 1e-2)])
def test_each_engine_answers_as_ours_does(
    small_container: Path, batch: np.ndarray, mode: str, precision: str, tolerance: float
) -> None:
    (engine,) = baseline.baselines(small_container, batch, modes=[mode], precisions=[precision])
    assert engine.name == f"torch {mode} {precision}"
    assert engine.not_run is None
    assert engine.answer is not None
    assert engine.clock is not None
    expected = dcz.load(small_container)(batch)
    assert np.abs(engine.answer - expected).max() <= tolerance * np.abs(expected).max()
    assert engine.clock(3) > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_every_floating_point_type(dtype: torch.dtype, tmp_path: Path) -> None:
    module = torch.nn.Linear(6, 4).to(dtype)
    convert(module, tmp_path / "net.dcz", input_shape=(6,))
    x = torch.linspace(-1, 1, 18).reshape(3, 6)
    with torch.no_grad():
        assert torch.allclose(baseline.dense_module(tmp_path / "net.dcz")(x), module.float()(x), rtol=1e-5)


def test_what_fails_says_why(small_container: Path, batch: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no working C++ compiler\nsecond line")

    monkeypatch.setattr(torch, "compile", broken)
    eager, compiled = baseline.baselines(small_container, batch, modes=["eager", "compile"])
    assert eager.clock is not None
    assert (compiled.clock, compiled.not_run) == (None, "no working C++ compiler")


def test_without_cuda_every_row_says_so(
    small_container: Path, batch: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = list(baseline.baselines(small_container, batch, device="cuda"))
    assert {row.not_run for row in rows} == {"no CUDA device"}
    assert {row.name.split()[-1] for row in rows} == {"fp32", "tf32", "fp16"}
    assert len(rows) == len(baseline.MODES) * 3


class FakeEvent:
    """An event of a stream in which every run takes 2 ms."""

    now = 0.0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at = FakeEvent.now

    def synchronize(self) -> None:
        pass

    def elapsed_time(self, end: FakeEvent) -> float:
        return end.at - self.at


def test_the_cuda_clock_sets_tf32_and_reads_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    seen = []

    def run() -> torch.Tensor:
        FakeEvent.now += 2.0
        seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        return torch.zeros(1)

    exact, rounded = (baseline._event_clock(run, tf32) for tf32 in (False, True))
    assert exact(3) == pytest.approx(0.006)
    assert rounded(1) == pytest.approx(0.002)
    assert seen == [(False, False)] * 3 + [(True, True)]


def test_a_container_of_weights_alone_is_refused(tmp_path: Path) -> None:
    from dcz.dcformat import write

    path = tmp_path / "weights.dcz"
    write(path, None, {"w": np.eye(3, dtype=np.float32)})
    with pytest.raises(dcz.FormatError, match="no graph"):
        baseline.dense_module(path)
