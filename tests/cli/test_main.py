from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dcz as package
from dcz.cli import COMMANDS, info
from dcz.core.output import replacing

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
NAMES = [module.__name__.rpartition(".")[2] for module in COMMANDS]


def test_version_and_help(dcz: Callable) -> None:
    assert dcz("--version") == (0, f"dcz {package.__version__}\n", "")
    result = dcz("--help")
    assert result.code == 0
    assert all(name in result.out for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(dcz: Callable, name: str) -> None:
    result = dcz(name, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"usage: dcz {name}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-v"],
        ["no-such-command"],
        ["info"],
        ["infer", "model.dcz"],
        ["infer", "model.dcz", "x.png", "--top", "0"],
        ["infer", "model.dcz", "x.png", "--json", "--csv"],
        ["infer", "model.dcz", "x.png", "--threads", "many"],
        ["convert", "model.pt", "--input-shape", "3,32,x"],
        ["convert", "model.pt", "--init", "best"],
        ["export", "model.dcz"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line_and_2(fails: Callable, arguments: list[str]) -> None:
    assert "--help" in fails(*arguments, code=2)


def test_no_command_shows_the_help_and_is_2(dcz: Callable) -> None:
    result = dcz()
    assert (result.code, result.out) == (2, "")
    assert result.err == dcz("--help").out


@pytest.mark.parametrize(
    ("arguments", "meant", "help_of"),
    [
        (["convrt", "model.pt"], "'convert'", "dcz"),
        (["--verison"], "'--version'", "dcz"),
        (["convert", "model.pt", "--pruen", "percent:60"], "'--prune'", "dcz convert"),
        (["convert", "model.pt", "--seeed=3"], "'--seed'", "dcz convert"),
        (["convert", "model.pt", "--init", "densty"], "'density'", "dcz convert"),
        (["infer", "model.dcz", "x.png", "--backend", "dusk"], "'dask'", "dcz infer"),
    ],
)
def test_the_word_that_was_meant_is_named(dcz: Callable, arguments: list[str], meant: str, help_of: str) -> None:
    result = dcz(*arguments)
    assert result.err.endswith(f"; did you mean {meant}? See '{help_of} --help'\n")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)


def test_a_word_that_is_near_nothing_is_not_guessed_at(fails: Callable) -> None:
    for arguments in (["xyzzy"], ["info", "model.dcz", "--xyzzy"]):
        assert "did you mean" not in fails(*arguments, code=2)


def test_debug_shows_the_traceback(dcz: Callable, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        dcz("info", tmp_path / "missing.dcz", "--debug")


def test_common_flags_stand_on_either_side(dcz: Callable, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        dcz("--debug", "info", tmp_path / "missing.dcz")


def test_ctrl_c_is_130(dcz: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "run", interrupt)
    assert dcz("info", "x.dcz") == (130, "", "dcz: interrupted\n")


def test_sigterm_cleans_up_and_is_143(dcz: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(args: object) -> int:
        with replacing(tmp_path / "x") as file:
            file.write(b"half")
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("the signal came to nothing")

    monkeypatch.setattr(info, "run", stopped)
    assert dcz("info", "x.dcz") == (143, "", "dcz: terminated\n")
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_program_around_dcz_keeps_its_own_sigterm(dcz: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[int] = []
    monkeypatch.setattr(info, "run", lambda args: os.kill(os.getpid(), signal.SIGTERM) or 0)
    signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        assert dcz("info", "x.dcz") == (0, "", "")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert came == [signal.SIGTERM]


@pytest.mark.parametrize("module", ["torch", "safetensors.torch", "sklearn.cluster", "scipy", "distributed"])
def test_a_missing_module_says_what_to_install(fails: Callable, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """The command holds the whole extra of the module that is missing, in the versions that dcz accepts."""

    def lacks(args: object) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    def not_there(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    extra = "dask" if module == "distributed" else "convert"
    declared = [f'{line}; extra == "{extra}"' for extra, lines in EXTRAS.items() for line in lines]
    monkeypatch.setattr(info, "run", lacks)
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: ["numpy>=1.26", *declared])
    monkeypatch.setattr(importlib.metadata, "distribution", not_there)
    assert installs(fails("info", "x.dcz")) == EXTRAS[extra]


def test_what_is_installed_already_is_not_installed_again(fails: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(args: object) -> int:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(info, "run", lacks)
    monkeypatch.setattr(
        importlib.metadata, "requires", lambda _: ["torch>=2.8; extra == 'convert'", "numpy>=1; extra == 'convert'"]
    )
    assert installs(fails("info", "x.dcz")) == ["torch>=2.8"]


def installs(message: str) -> list[str]:
    """What the pip command in a message would install."""
    found = re.fullmatch(
        r"dcz: error: this command needs a package: [\w-]+ is not installed; install with: pip install (.*)\n", message
    )
    assert found, message
    requirements = shlex.split(found[1])
    assert [str(Requirement(text)) for text in requirements] == requirements
    return requirements


@pytest.mark.parametrize("command", [("convert", "x.pt"), ("export", "x.dcz", "-o", "x.pt")], ids=" ".join)
def test_commands_that_need_torch_say_so_where_there_is_none(command: tuple[str, ...], tmp_path: Path) -> None:
    code = f"import sys; sys.modules['torch'] = None\nfrom dcz.cli import main\nsys.exit(main({list(command)}))"
    (tmp_path / command[1]).write_bytes(b"")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert Requirement(installs(done.stderr)[0]).name == "torch"
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_named(small_container: Path, unbuffered: str) -> None:
    command = [sys.executable, "-m", "dcz", "info", str(small_container)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=small_container.parent,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert (done.returncode, done.stderr) == (1, "dcz: error: standard output: No space left on device\n")


def test_an_unexpected_error_owns_up(dcz: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(args: object) -> int:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(info, "run", broken)
    result = dcz("info", "x.dcz")
    assert result.code == 1
    assert result.err == "dcz: error: unexpected RuntimeError: two lines; this is a bug in dcz, --debug shows where\n"


def test_python_m_dcz(small_container: Path) -> None:
    command = [sys.executable, "-m", "dcz", "info", str(small_container)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=small_container.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "conv.weight" in done.stdout


def test_without_stdout_the_work_is_done(dcz: Callable, small_container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)  # as Python sets it for `dcz ... >&-`
        code = package.cli.main(["info", str(small_container)])
    assert (code, dcz("--version").code) == (0, 0)


def test_a_closed_pipe_is_no_error(small_container: Path) -> None:
    code = "import sys; from dcz.cli import main; sys.stdin.read(); sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-q", "info", small_container],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()  # the reader has gone before the first byte
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1
