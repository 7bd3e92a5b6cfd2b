"""Several levels of x86-64 in one object: each answers, and the highest that the processor has is chosen."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from compiled_models import Compiled, compiled

import dcz
from dcz.aot.compile import compile_model
from dcz.aot.native import NativeModel
from dcz.aot.targets import X86_64, find_target, find_targets, platform
from dcz.core.errors import InputError
from dcz.core.levels import LEVELS

pytestmark = pytest.mark.skipif(platform.machine().lower() not in X86_64, reason="levels are compiled on x86-64 only")
NAMES = ["x86-64-v2", "x86-64-v3", "x86-64-v4+vnni"]
MAIN = """
#include "several.h"
#include <stdio.h>
static _Alignas(DCZ_ARENA_ALIGNMENT) unsigned char arena[DCZ_ARENA_SIZE];
static float ids[DCZ_IN_WORD_IDS_SIZE], bias[DCZ_IN_BIAS_SIZE], rows[DCZ_OUT_ROWS_SIZE], sums[DCZ_OUT_SUMS_SIZE];
int main(void) {
  int failed = dcz_run(ids, bias, rows, sums, arena);
  printf("%d %s %.9g", failed, dcz_target() ? dcz_target() : "none", rows[0]);
  return 0;
}
"""


@pytest.fixture(scope="module")
def levels(several: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(several.container, tmp_path_factory.mktemp("levels"), target=",".join(reversed(NAMES)))


def test_each_level_answers(levels: Compiled) -> None:
    model, native = dcz.load(levels.container), levels.load()
    met = [name for name in NAMES if [*LEVELS].index(name) <= [*LEVELS].index(find_target("native").name)]
    assert (native.facts["target"], native.target) == (",".join(NAMES), met[-1])
    x = model.noise(2)
    expected = model(x)["sums"]
    np.testing.assert_array_equal(native(x)["sums"], expected)
    for name in met:
        forced = NativeModel(levels.library, target=name)
        assert forced.target == name
        np.testing.assert_array_equal(forced(x)["sums"], expected)  # sums alone: no level fuses
    with pytest.raises(InputError, match=r"not compiled for this processor .*expected aarch64, found x86-64-v2, x86"):
        NativeModel(levels.library, target="aarch64")


def test_the_processor_decides(levels: Compiled, tmp_path: Path) -> None:
    """An emulator's processors: the library runs its highest level on each, and says so where there is none."""
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("needs qemu-user")
    (tmp_path / "main.c").write_text(MAIN)
    here = levels.library.parent
    command = ["cc", "-I", here, tmp_path / "main.c", levels.library, f"-Wl,-rpath,{here}", "-o", tmp_path / "main"]
    subprocess.run(command, check=True)
    with dcz.open(levels.container) as container:
        row = f"{container.tensor('table')[0, 0]:.9g}"
    said = {"qemu64": "3 none 0", "Nehalem": f"0 x86-64-v2 {row}", "Haswell": f"0 x86-64-v3 {row}"}
    for processor, line in said.items():
        run = subprocess.run(["qemu-x86_64", "-cpu", processor, tmp_path / "main"], capture_output=True, check=True)
        assert run.stdout.decode() == line


def test_the_header_declares_levels(levels: Compiled) -> None:
    said = levels.header.read_text()
    assert all(f"int dcz_run_{name}(" in said for name in ("x86_64_v2", "x86_64_v4_vnni"))


def test_bytes_are_equal_in_any_order(several: Compiled, tmp_path: Path) -> None:
    for output, target in ((tmp_path / "a.o", "x86-64-v2,x86-64-v3"), (tmp_path / "b.o", "x86-64-v3,x86-64-v2")):
        assert compile_model(several.container, output, target=target).target == "x86-64-v2,x86-64-v3"
    assert (tmp_path / "a.o").read_bytes() == (tmp_path / "b.o").read_bytes()


@pytest.mark.parametrize("names", ["x86-64-v3,aarch64", "native,x86-64-v3"])
def test_only_levels_can_be_several(names: str) -> None:
    with pytest.raises(InputError, match=r"only these can be several targets .expected levels of x86-64: x86-64-v2, x"):
        find_targets(names)


def test_a_level_has_those_before_it() -> None:
    for lower, higher in pairwise(LEVELS.values()):
        assert set(lower) < set(higher)
