"""Other targets: objects are of the right machine, and run where an emulator and a linker for it are there."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled_models import Compiled
from PIL import Image

import dcz
from dcz.aot.compile import compile_model
from dcz.aot.targets import TARGETS, find_target
from dcz.dcformat import Graph, make_node, write

EXAMPLES = Path(__file__).parents[2] / "examples"
MACHINES = {"x86-64-v2": 62, "aarch64": 183, "armv7": 40, "riscv64": 243}
"""EM_X86_64, EM_AARCH64, EM_ARM and EM_RISCV of the ELF specification."""
EMULATORS = {"aarch64": "qemu-aarch64", "armv7": "qemu-arm", "riscv64": "qemu-riscv64"}
needs_zig = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")


@pytest.mark.parametrize("name", MACHINES)
def test_an_object_is_of_its_machine(several: Compiled, tmp_path: Path, name: str) -> None:
    compile_model(several.container, tmp_path / "m.o", target=name)
    content = (tmp_path / "m.o").read_bytes()
    assert content[:4] == b"\x7fELF"
    assert int.from_bytes(content[18:20], "little") == MACHINES[name]
    assert content[4] == TARGETS[name].processor.bits // 32  # ELFCLASS32 or ELFCLASS64


def test_webassembly_is_a_module(several: Compiled, tmp_path: Path) -> None:
    compile_model(several.container, tmp_path / "m.o", target="wasm32")
    content = (tmp_path / "m.o").read_bytes()
    assert content[:8] == b"\0asm\1\0\0\0"
    assert b"dcz_run" in content
    assert b"fmaf" not in content


def test_this_machine_is_one_of_the_targets() -> None:
    native = find_target("native")
    assert native.native
    assert TARGETS[native.name].processor._replace(triple=native.processor.triple) == native.processor


@needs_zig
@pytest.mark.parametrize("name", EMULATORS)
def test_the_example_runs_under_an_emulator(small_container: Path, tmp_path: Path, name: str) -> None:
    if shutil.which(EMULATORS[name]) is None:
        pytest.skip(f"needs {EMULATORS[name]}")
    compile_model(small_container, tmp_path / "model.o", tmp_path / "model.h", name)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", TARGETS[name].zig.replace("gnu", "musl"), "-static"]
    sources = [EXAMPLES / "c" / "classify.c", tmp_path / "model.o"]
    subprocess.run([*zig, "-std=c11", "-I", tmp_path, *sources, "-o", tmp_path / "classify"], check=True)
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.pgm")
    command = [EMULATORS[name], tmp_path / "classify", tmp_path / "image.pgm"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    model = dcz.load(small_container)
    assert float(said.split()[-1].rstrip(")")) == pytest.approx(model(model.preprocess(pixels)).max(), rel=1e-5)


def depthwise(path: Path) -> Path:
    """A container of one depthwise layer, half of its weights zero."""
    rng = np.random.default_rng(5)
    weight = (rng.normal(size=(4, 1, 3, 3)) * (rng.random((4, 1, 3, 3)) < 0.5)).astype(np.float32)
    node = make_node("conv2d", (0,), {"weight": "w"}, {"padding": (1, 1), "groups": 4})
    write(path, Graph((4, 7, 9), (node,), 1), {"w": weight})
    return path


@needs_zig
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("network", ["small", "depthwise"])
def test_a_module_runs_in_node(network: str, small_container: Path, tmp_path: Path) -> None:
    container = small_container if network == "small" else depthwise(tmp_path / "depthwise.dcz")
    compile_model(container, tmp_path / "m.wasm", target="wasm32")
    model = dcz.load(container)
    x = model.noise(1)["input"]
    x.tofile(tmp_path / "x.bin")
    command = ["node", EXAMPLES / "wasm" / "run.mjs", tmp_path / "m.wasm", tmp_path / "x.bin", "--raw"]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    np.testing.assert_allclose(np.frombuffer(said, np.float32), model(x)[0].ravel(), rtol=1e-5, atol=1e-6)
