"""The pipe to other engines, with a tiny engine; and the ONNX file that they read, against ONNX's own reference."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import dcz
from benchmarks import onnx_file, peers
from benchmarks.peers import MissingToolError, Peer, Tool, process
from benchmarks.peers.process import Worker
from dcz.core.difference import relative_error

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
    with pytest.raises(MissingToolError, match="ValueError: no such layer"):
        Worker(engine(tmp_path, 'raise ValueError("no such layer")'), *files, threads=3, folder=tmp_path)


def test_an_engine_that_is_not_installed_says_how_to(tmp_path: Path, files: tuple[Path, Path]) -> None:
    with pytest.raises(MissingToolError, match=r"python -m benchmarks\.peers openvino$"):
        Worker(peers.PEERS["openvino int8"], *files, threads=1, folder=tmp_path)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("Traceback\nValueError: bad\nbye", "ValueError: bad"),
        ("Assertion at x.hpp:653\nPlease write to us", "Assertion at x.hpp:653"),
        ("Killed", "Killed"),
        (" \n", "it ended without a word"),
    ],
)
def test_of_many_words_one_line_is_told(said: str, line: str) -> None:
    assert peers.error_line(said) == line


def test_an_engine_that_hangs_is_given_up(
    tmp_path: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.5)
    with pytest.raises(MissingToolError, match=r"no answer within 0\.5 seconds"):
        Worker(engine(tmp_path, "import time; time.sleep(60)"), *files, threads=3, folder=tmp_path)


def test_an_engine_is_prepared_once_if_asked(tmp_path: Path, files: tuple[Path, Path]) -> None:
    script = tmp_path / "with_third.py"
    script.write_text(
        HALF.format(folder=str(peers.HERE), body="open(path + '.made').close()").replace(
            'serve(load, "json")', 'serve(load, "json", lambda path, batch: open(path + ".made", "x").close())'
        )
    )
    peer = Peer("third", str(script), prepares=True)
    for first in (True, False):
        with Worker(peer, *files, threads=3, folder=tmp_path, prepare=first):
            pass
    with pytest.raises(MissingToolError, match="FileExistsError"):
        Worker(peer, *files, threads=3, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "packages"), [("deepsparse", [["deepsparse==1.8.0", "numpy<2"]]), ("ncnn", [["ncnn"], ["pnnx"]])]
)
def test_installing_makes_an_environment_and_fills_it(tmp_path: Path, name: str, packages: list[list[str]]) -> None:
    commands: list[list[str]] = []
    peers.install(name, tmp_path, run=lambda command, check: commands.append(command))
    assert commands[0] == [sys.executable, "-m", "venv", "--clear", str(tmp_path / name)]
    assert [[word for word in command[4:] if word[0] != "-"] for command in commands[1:]] == packages
    assert ["--no-deps" in command for command in commands[1:]] == [False, True][: len(packages)]


def test_what_pip_does_not_manage_is_said(tmp_path: Path) -> None:
    def fail(command: list[str], check: bool) -> None:
        raise subprocess.CalledProcessError(1, command)

    with pytest.raises(MissingToolError, match=r"^nnc was not installed: .* failed$"):
        peers.install("nnc", tmp_path, run=fail)


def test_a_coder_tells_its_bytes_or_why_not(tmp_path: Path, files: tuple[Path, Path]) -> None:
    script = tmp_path / "coder.py"
    script.write_text("import os, sys; print('words'); print(os.path.getsize(sys.argv[1]))")
    assert process.count(Tool("length", str(script)), tmp_path, *files) == len(b"weights")
    script.write_text("raise ValueError('too sparse')")
    with pytest.raises(MissingToolError, match="ValueError: too sparse"):
        process.count(Tool("length", str(script)), tmp_path, *files)
    with pytest.raises(MissingToolError, match=r"python -m benchmarks\.peers coreml$"):
        process.count(peers.CODERS["coreml"], tmp_path, *files)


def test_nnc_numbers_centroids_in_the_order_of_values_with_zero_as_zero() -> None:
    nnc = script_module("size_nnc")
    weights = np.array([[0, -2, 0.5], [3, -1, 0]], np.float32)
    numbers, centroids = nnc.numbered(weights)
    assert numbers.tolist() == [[0, -2, 1], [2, -1, 0]]
    assert centroids == 4


def test_ncnn_gets_the_layers_that_pnnx_leaves() -> None:
    sys.path.insert(0, str(peers.HERE))  # it imports the worker beside it
    try:
        ncnn = script_module("with_ncnn")
    finally:
        sys.path.remove(str(peers.HERE))
    layers = "Tensor.slice  s_2  1 1 20 24\nPad  p_3  1 1 24 25\nReLU  r  1 1 25 26\n"
    pnnx = "Tensor.slice s_2 1 1 a b dims=(2,3) starts=(0,0) steps=(2,4)\nPad p_3 1 1 b c pads=(0,8,0,0,0,7,0,0)\n"
    assert ncnn.replace_layers(layers, pnnx).splitlines() == [
        "Pooling  s_2  1 1 20 24 0=0 1=1 11=1 2=4 12=2 5=1",
        "Padding  p_3  1 1 24 25 7=8 8=7",
        "ReLU  r  1 1 25 26",
    ]
    with pytest.raises(NotImplementedError, match="pads 0,8,1,0,0,8,1,0"):
        ncnn.replace_layers(layers, pnnx.replace("pads=(0,8,0,0,0,7,0,0)", "pads=(0,8,1,0,0,8,1,0)"))


def script_module(name: str) -> Any:
    """A script of another engine's environment, as a module of this one."""
    spec = importlib.util.spec_from_file_location(name, peers.HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    (found,) = ReferenceEvaluator(model).run(None, {"input": batch})
    assert relative_error(found, dcz.load(container)(batch)) < 1e-5
