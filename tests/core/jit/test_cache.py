"""The disk cache of kernels, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dcz.core import kept
from dcz.core.jit import COMPILATIONS, cache, compiled

PACKAGE = """
    from pathlib import Path

    import numpy as np

    from dcz.core.jit import compiled, stamp

    VALID = stamp(Path(__file__).parent)
    """
KERNEL = """
    from constants import FACTOR

    from package import VALID, compiled, np

    def total(x):
        parts = np.zeros(len(x))  # memory of Numba's runtime
        for i in range(len(x)):
            parts[i] = x[i] * FACTOR
        return parts.sum()

    total = compiled(total, VALID)
    """
MAIN = """
    import sys

    from dcz.core.jit import COMPILATIONS
    from kernel import np, total

    print(total(np.arange(4.0)), COMPILATIONS.kernels > 0, "numba" in sys.modules)
    """


def run(folder: Path, **environment: str) -> str:
    process = subprocess.run(
        [sys.executable, "main.py"],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), **environment},
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def test_cached_kernels_start_without_the_compiler_and_follow_the_sources(tmp_path: Path) -> None:
    kernel = KERNEL.replace("from constants", "from parts.constants")
    for name, text in (("package", PACKAGE), ("kernel", kernel), ("main", MAIN)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    constants = tmp_path / "parts" / "constants.py"
    constants.parent.mkdir()
    constants.write_text("FACTOR = 2.0")
    assert run(tmp_path) == "12.0 True True"
    times = constants.stat()
    os.utime(constants, (1, 1))  # as in an archive that keeps no times
    assert run(tmp_path) == "12.0 False False"
    constants.write_text("FACTOR = 3.0")
    os.utime(constants, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run(tmp_path) == "18.0 True True", "an edit in a subfolder, which kept size and time, went unseen"
    assert run(tmp_path) == "18.0 False False"
    assert run(tmp_path, NUMBA_BOUNDSCHECK="1") == "18.0 True True", "code without checks passed for checked code"
    assert run(tmp_path, NUMBA_DISABLE_JIT="1").startswith("18.0")


READ_ONLY = """
    import os

    from dcz.core import kept

    fill = kept._fill

    def refuse(path, content):
        if "READ_ONLY" in os.environ and "cache" in path.split("/"):
            raise OSError(30, "Read-only file system")
        fill(path, content)

    kept._fill = refuse
    """


def test_kernels_are_read_from_folders_that_cannot_be_written_and_kept_in_the_next(tmp_path: Path) -> None:
    main = textwrap.dedent(READ_ONLY) + textwrap.dedent(MAIN)
    for name, text in (("package", PACKAGE), ("kernel", KERNEL), ("main", main), ("constants", "FACTOR = 2.0")):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    assert run(tmp_path) == "12.0 True True"
    assert run(tmp_path, READ_ONLY="1") == "12.0 False False"
    (tmp_path / "constants.py").write_text("FACTOR = 10.0")
    assert run(tmp_path, READ_ONLY="1") == "60.0 True True"
    assert list(tmp_path.glob("__pycache__/*.code"))
    assert run(tmp_path, READ_ONLY="1") == "60.0 False False", "stale code in the first folder hid it"


CALLER = """
    from kernel import VALID, compiled, np, total

    def twice(x):
        return 2 * total(x)

    if FIRST:
        total(np.arange(4.0))  # comes from the cache before the caller is compiled
    print(compiled(twice, VALID)(np.arange(4.0)), len(total.dispatcher.overloads))
    """


def test_code_of_another_processor_or_that_is_damaged_is_compiled_again(tmp_path: Path) -> None:
    for name, text in (("package", PACKAGE), ("kernel", KERNEL), ("main", MAIN), ("constants", "FACTOR = 2.0")):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    assert run(tmp_path) == "12.0 True True"
    assert run(tmp_path, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == "12.0 True True"
    files = sorted(tmp_path.glob("cache/*/*.code"))
    assert len(files) == 2, "one for each processor"
    for damage in (lambda data: data[:-100], lambda data: bytes(byte ^ 1 for byte in data), lambda data: b""):
        for file in files:
            file.write_bytes(damage(file.read_bytes()))
        assert run(tmp_path) == "12.0 True True"
        assert run(tmp_path) == "12.0 False False"


def test_cached_kernels_are_linked_with_new_ones(tmp_path: Path) -> None:
    files = ("package", PACKAGE), ("kernel", KERNEL), ("main", MAIN), ("constants", "FACTOR = 2.0")
    for name, text in files:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    assert run(tmp_path) == "12.0 True True"
    for first in (False, True):
        (tmp_path / "main.py").write_text(textwrap.dedent(CALLER).replace("FIRST", str(first)))
        assert run(tmp_path) == "24.0 1"


UNCACHED = """
    import logging

    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    """


SAME_NAMES = """
    from package import VALID, compiled

    double, triple = [compiled(lambda x: x * 2.0, VALID),
                      compiled(lambda x: x * 3.0, VALID)]
    print(double(2.0), triple(2.0))

    def make(**options):
        return compiled(divided, VALID, **options)

    def divided(x, y):
        return x / y

    print(make(error_model="numpy")(1.0, 0.0))
    try:
        print(make(error_model="python")(1.0, 0.0))
    except ZeroDivisionError:
        print("refused")
    """


def test_functions_of_one_name_and_options_of_one_function_are_told_apart(tmp_path: Path) -> None:
    for name, text in (("package", PACKAGE), ("main", SAME_NAMES)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    for _ in ("compiled", "loaded"):
        assert run(tmp_path).split() == ["4.0", "6.0", "inf", "refused"]


def test_values_of_closures_do_not_come_from_the_cache() -> None:
    for factor in (2.0, 3.0):
        assert compiled(lambda x: x * factor, tuple)(2.0) == 2.0 * factor  # noqa: B023 (called at once)


@pytest.mark.skipif(os.name != "posix", reason="folders below /dev/null, which even root cannot make")
def test_where_no_cache_can_be_written_each_process_compiles_and_one_warning_says_so(tmp_path: Path) -> None:
    main = f"import sys\n{textwrap.dedent(UNCACHED)}{textwrap.dedent(MAIN)}"
    caller = textwrap.dedent(CALLER).replace("FIRST", "False")
    files = ("package", PACKAGE), ("kernel", KERNEL), ("main", main + caller), ("constants", "FACTOR = 2.0")
    for name, text in files:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    (tmp_path / "__pycache__").write_text("in the way of a cache beside the source")
    nowhere = {name: "/dev/null/cache" for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME")}
    warning, *answers = run(tmp_path, **nowhere).splitlines()
    assert "NUMBA_CACHE_DIR" in warning
    assert answers == ["12.0 True True", "24.0 1"]


def test_a_full_disk_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "_fill", full)
    cache._tell_uncached.cache_clear()
    unkept = COMPILATIONS.unkept
    assert compiled(lambda x: x * 2.0, tuple)(2.0) == 4.0
    assert compiled(lambda x: x * 3.0, tuple)(2.0) == 6.0
    assert COMPILATIONS.unkept == unkept + 2
    assert [record.levelname for record in caplog.records if record.levelname != "INFO"] == ["WARNING"]
