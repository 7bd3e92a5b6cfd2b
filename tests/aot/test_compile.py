"""Compiled models: bits, names, equal bytes from run to run, errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from compiled_models import Compiled, compiled

import dcz
from dcz.aot.compile import MOST_SAMPLES, compile_model
from dcz.aot.native import NativeModel
from dcz.core.errors import InputError
from dcz.dcformat import FormatError, write

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="session")
def lenet5(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(MODELS / "lenet5_caffe.dcz", tmp_path_factory.mktemp("lenet5_aot"))


def test_a_real_network_answers_bit_for_bit_as_the_runtime(lenet5: Compiled) -> None:
    model, native = dcz.load(lenet5.container, threads=1), lenet5.load()
    x = model.noise(1)["input"]
    np.testing.assert_array_equal(native(x), model(x))
    report = lenet5.report
    assert report.file_bytes == lenet5.library.stat().st_size
    assert report.constant_bytes < 40_000 < report.file_bytes < 120_000
    assert report.largest_layer == "fc1.weight"


def test_several_inputs_and_outputs_by_name(several: Compiled) -> None:
    model, native = dcz.load(several.container), several.load()
    x = model.noise(3)
    expected, found = model(x), native(x)
    assert list(found) == ["rows", "sums"]
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    assert "int dcz_run(const float *in_word_ids, const float *in_bias, float *out_rows, float *out_sums, void" in (
        several.header.read_text()
    )


@pytest.mark.parametrize("number", [-1.0, 5.0, np.nan, np.inf])
def test_a_row_that_the_table_lacks_is_refused(several: Compiled, number: float) -> None:
    ids, bias = np.zeros((1, 3), np.float32), np.zeros((1, 3, 4), np.float32)
    several.load()(ids, bias)
    ids[0, 2] = number
    with pytest.raises(InputError, match=r"out of range .expected word ids: 0 to 4"):
        several.load()(ids, bias)


def test_a_batch_is_what_the_runtime_makes_of_it(small: Compiled, tmp_path: Path) -> None:
    """A call of 6 samples runs a slice of 4 and two of 1."""
    compile_model(small.container, tmp_path / "six.so", batch=6)
    model, native = dcz.load(small.container, threads=1), NativeModel(tmp_path / "six.so")
    x = model.noise(6)["input"]
    np.testing.assert_array_equal(native(x), model(x))
    assert native(x[:2]).shape == (2, 3)
    np.testing.assert_allclose(native(x[:2]), model(x[:2]), rtol=1e-6)


def test_threads_run_it_at_once(small: Compiled) -> None:
    native = small.load()
    x = np.random.default_rng(2).normal(size=(40, 1, 8, 8)).astype(np.float32)
    expected, found = native(x), [np.empty(0)] * 4

    def work(number: int) -> None:
        for _ in range(20):
            found[number] = native(x)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for array in found:
        np.testing.assert_array_equal(array, expected)


def test_a_library_tells_about_itself(small: Compiled) -> None:
    native = small.load()
    with dcz.open(small.container) as container:
        preprocess = container.preprocess
    assert native.facts | {"arena_bytes": 0} == {
        "api": 1,
        "version": dcz.__version__,
        "network": "small",
        "target": small.report.target,
        "precision": "fp32",
        "batch": 1,
        "arena_bytes": 0,
        "alignment": 64,
        "inputs": [{"name": "input", "shape": [1, 1, 8, 8]}],
        "outputs": [{"name": "output", "shape": [1, 3]}],
        "labels": ["cat", "dog", "owl"],
        "preprocess": json.loads(json.dumps(vars(preprocess))),
    }
    assert native.facts["arena_bytes"] == small.report.arena_bytes


COMPILE = "import sys; from dcz.aot.compile import compile_model; compile_model(*sys.argv[1:])"


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs binutils")
def test_an_object_has_no_state(several: Compiled, tmp_path: Path) -> None:
    compile_model(several.container, tmp_path / "m.o")
    command = ["objdump", "-h", tmp_path / "m.o"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {".text", ".rodata"} <= set(said)
    assert not {".data", ".bss", ".tdata", ".tbss"} & set(said)


def test_two_processes_make_equal_bytes(several: Compiled, small: Compiled, tmp_path: Path) -> None:
    """The second one compiles other kernels first, and shares no kept kernel with the first."""
    compile_model(small.container, tmp_path / "here.a", tmp_path / "here.h", batch=4, prefix="net_")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", COMPILE, several.container, tmp_path / "there.o"]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    compile_model(several.container, tmp_path / "here.o")
    assert (tmp_path / "here.o").read_bytes() == (tmp_path / "there.o").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "here.o").read_bytes()


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("m.o", {"target": "z80"}, "unknown target .expected native, x86-64-v2,.*found z80"),
        ("m.dll", {}, "another ending .*expected .o, .a, .so, found .dll"),
        ("m.wasm", {"target": "aarch64"}, "another ending .for aarch64, expected .o, .a, .so, found .wasm"),
        ("m.so", {"target": "wasm32"}, "another ending .for wasm32, expected .o, .a, .wasm, found .so"),
        ("m.o", {"batch": 0}, "batch is out of range"),
        ("m.o", {"batch": MOST_SAMPLES + 1}, "batch is out of range"),
        ("m.o", {"prefix": "2-"}, "makes no names of C"),
    ],
)
def test_what_cannot_be_made_is_refused(
    small_container: Path, tmp_path: Path, output: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        compile_model(small_container, tmp_path / output, **options)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_said_before_the_work(small_container: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such folder"):
        compile_model(small_container, tmp_path / "no" / "m.o")
    with pytest.raises(OSError, match="no such folder"):
        compile_model(small_container, tmp_path / "m.o", tmp_path / "no" / "m.h")
    with pytest.raises(InputError, match="take the place"):
        compile_model(small_container, tmp_path / "m.o", small_container)


def test_weights_alone_cannot_be_compiled(tmp_path: Path) -> None:
    write(tmp_path / "w.dcz", None, {"w": np.ones((2, 2), np.float32)})
    with pytest.raises(FormatError, match="no graph"):
        compile_model(tmp_path / "w.dcz", tmp_path / "w.o")
