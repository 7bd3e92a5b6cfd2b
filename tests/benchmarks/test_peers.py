"""The pipe to other engines, with a tiny engine; and the ONNX file that they read, against ONNX's own reference."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import dcz
from benchmarks import onnx_file, peers
from benchmarks.latency import relative_error
from benchmarks.peers import MissingPeerError, Peer, Worker

HALF = """
import sys
sys.path.insert(0, {folder!r})
from worker import serve
def load(path, threads, batch):
    assert threads == 3 and batch.shape == (2, 2)
    print("a library that talks")
    {body}
    return lambda x: x / 2
serve(load, "json")
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    model, batch = tmp_path / "model", tmp_path / "batch.npy"
    model.write_bytes(b"weights")
    np.save(batch, np.array([[1, 2], [3, 4]], np.float32))
    return model, batch


def engine(tmp_path: Path, body: str = "pass") -> Peer:
    script = tmp_path / "with_half.py"
    script.write_text(HALF.format(folder=str(peers.HERE), body=body))
    return Peer("half", str(script))


def test_a_worker_loads_runs_and_answers(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with Worker(engine(tmp_path), *files, threads=3, folder=tmp_path) as worker:
        assert worker.facts["version"] == __import__("json").__version__
        assert 0 < worker.facts["import_mib"] <= worker.facts["peak_mib"]
        assert all(worker.facts[key] >= 0 for key in ("import_s", "load_s", "first_s"))
        assert 0 <= worker.clock(1) < worker.clock(200_000)
        assert worker.answer(tmp_path / "answer.npy").tolist() == [[0.5, 1], [1.5, 2]]


def test_a_worker_that_fails_says_why(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(MissingPeerError, match="ValueError: no such layer"):
        Worker(engine(tmp_path, 'raise ValueError("no such layer")'), *files, threads=3, folder=tmp_path)


def test_an_engine_that_is_not_installed_says_how_to(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(MissingPeerError, match=r"python -m benchmarks\.peers openvino$"):
        Worker(peers.PEERS["openvino int8"], *files, threads=1, folder=tmp_path)


def test_installing_makes_an_environment_and_fills_it(tmp_path: Path) -> None:
    commands: list[list[str]] = []
    peers.install("deepsparse", tmp_path, run=lambda command, check: commands.append(command))
    assert commands[0] == [sys.executable, "-m", "venv", str(tmp_path / "deepsparse")]
    assert commands[1][1:] == ["-m", "pip", "install", "--quiet", "deepsparse==1.8.0", "numpy<2"]


@pytest.mark.parametrize("name", ["lenet5_caffe", "resnet20_cifar"])
def test_the_onnx_file_answers_as_the_container(tmp_path: Path, name: str) -> None:
    import torch

    from dcz.converters.architectures import ARCHITECTURES

    torch.manual_seed(0)
    architecture = ARCHITECTURES[name]
    container = tmp_path / "net.dcz"
    dcz.convert(architecture.factory().eval(), container, input_shape=architecture.input_shape)
    batch = np.random.default_rng(0).standard_normal((2, *architecture.input_shape), dtype=np.float32)
    model = onnx.load(onnx_file.write(container, tmp_path / "net.onnx", 2))
    (found,) = ReferenceEvaluator(model).run(None, {"v0": batch})
    assert relative_error(found, dcz.load(container)(batch)) < 1e-5
