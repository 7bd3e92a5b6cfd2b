from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import dcz as package
from dcz.cli import COMMANDS, info

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
        [],
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


@pytest.mark.parametrize("module", ["torch", "safetensors.torch", "sklearn.cluster"])
def test_a_missing_extra_says_what_to_install(fails: Callable, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    def lacks(args: object) -> int:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(info, "run", lacks)
    assert "pip install 'dcz[convert]'" in fails("info", "x.dcz")


@pytest.mark.parametrize("command", [("convert", "x.pt"), ("export", "x.dcz", "-o", "x.pt")], ids=" ".join)
def test_commands_that_need_torch_say_so_where_there_is_none(command: tuple[str, ...], tmp_path: Path) -> None:
    code = f"import sys; sys.modules['torch'] = None\nfrom dcz.cli import main\nsys.exit(main({list(command)}))"
    (tmp_path / command[1]).write_bytes(b"")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("install with: pip install 'dcz[convert]'\n")
    assert done.stderr.count("\n") == 1


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
        [sys.executable, "-c", code, "info", small_container],
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
