"""The house rules: who imports whom, what is public, what is documented, what runs without torch."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("dcformat", "runtime", "converters")
FRAMEWORKS = {"torch", "sklearn", "safetensors", "onnx"}
FORBIDDEN = {  # by folder, inner ones first: roots of absolute imports, and folders of the house
    "dcz/core": FRAMEWORKS | {"aot", "calibration", "PIL", "dcformat", "runtime", "converters", "reporting", "cli"},
    "dcformat": FRAMEWORKS | {"aot", "calibration", "PIL", "runtime", "converters", "reporting", "cli"},
    "runtime": FRAMEWORKS | {"aot", "calibration", "converters", "reporting", "cli"},
    "converters": {"aot", "reporting", "cli"},
    "dcz": FRAMEWORKS,
}
MAX_LINES = 400


def sources(folder: str) -> list[Path]:
    files = sorted(path for path in (ROOT / folder).rglob("*.py") if not path.is_symlink())
    links = {ROOT / "dcz" / name for name in FOLDERS}
    return [path for path in files if not links & set(path.parents)]


PACKAGE_FILES = [path for folder in (*FOLDERS, "dcz") for path in sources(folder)]
ALL_FILES = PACKAGE_FILES + sources("tests") + sources("benchmarks")


def ident(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "dcz" else ("dcz", *parts))


def imported(path: Path) -> set[str]:
    """Roots of what a file imports at any depth: packages by name, and for relative imports the folder they reach.

    Imports under ``if TYPE_CHECKING`` never run, but the arrows hold for types too: they count.
    """
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    roots = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = [*base, *(node.module.split(".") if node.module else [])]
            names = [target] if node.module else [[*target, alias.name] for alias in node.names]
            roots |= {(name[1] if len(name) > 1 and name[0] == "dcz" else name[0]) for name in names}
    return roots


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=ident)
def test_arrows_point_one_way(path: Path) -> None:
    folder = next(folder for folder in FORBIDDEN if path.is_relative_to(ROOT / folder))
    assert not imported(path) & FORBIDDEN[folder]


def test_the_import_reader_sees_forbidden_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "runtime").mkdir()
    bad = tmp_path / "runtime" / "bad.py"
    bad.write_text(
        "def f():\n    import torch.nn\n    from ..converters.source import x\n    from .. import dcformat\n"
    )
    assert imported(bad) == {"torch", "converters", "dcformat"}


def test_converters_see_the_runtime_only_where_the_contract_excepts_it() -> None:
    contract, *_ = PROJECT["tool"]["importlinter"]["contracts"]
    excepted = {line.partition(" -> ")[0] for line in contract["ignore_imports"]}
    assert {module_name(path) for path in sources("converters") if "runtime" in imported(path)} <= excepted


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=ident)
def test_one_module_compiles(path: Path) -> None:
    """Elsewhere Numba's own cache would be used, which stops where it cannot write, and misses edits."""
    tree = ast.walk(ast.parse(path.read_text()))
    names = {alias.name for node in tree if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    assert "numba" not in names
    assert not names & {"jit", "njit"} or path == ROOT / "dcz" / "core" / "jit" / "kernel.py"


DOCUMENTED = {"numba", "numba.extending", "numba.core"}
"""Modules whose names Numba documents for users and for extensions: `numba.core` for `types` and `cgutils`."""


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=ident)
def test_two_modules_reach_into_numba(path: Path) -> None:
    if path.parent == ROOT / "dcz" / "core" / "jit" and path.name in ("numba_adapter.py", "cross.py"):
        return
    froms = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) and node.module]
    numba = [node for node in froms if node.module and node.module.partition(".")[0] == "numba"]
    assert {node.module for node in numba} <= DOCUMENTED
    names = {alias.name for node in numba for alias in node.names}
    assert not {name for name in names if name.startswith("_")} - {"__version__"}


def test_packages_are_the_folders() -> None:
    folders = {module_name(path) for path in PACKAGE_FILES if path.name == "__init__.py"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders


def test_versions_agree() -> None:
    import dcz

    assert dcz.__version__ == PROJECT["project"]["version"]
    section = "Unreleased" if ".dev" in dcz.__version__ else dcz.__version__
    assert f"## [{section}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", ALL_FILES, ids=ident)
def test_a_file_is_one_thing(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("name", ["dcz", "dcz.dcformat", "dcz.runtime", "dcz.converters"])
def test_public_names_exist_and_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{name}.{public} has no docstring"


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=ident)
def test_public_definitions_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module says nothing about itself"
    top = [node for node in tree.body if is_public(node)]
    parts = [part for node in top if isinstance(node, ast.ClassDef) for part in node.body if is_public(part)]
    undocumented = [node.name for node in (*top, *parts) if not ast.get_docstring(node)]
    assert not undocumented


def is_public(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.ClassDef]:
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")


WITHOUT_FRAMEWORKS = """
    import sys
    for name in ("torch", "sklearn", "scipy", "safetensors", "onnx"):
        sys.modules[name] = None              # importing it now fails
    import numpy as np
    import dcz, dcz.cli, dcz.dcformat, dcz.runtime
    model = dcz.load(sys.argv[1], threads=1)
    scores = model(np.ones((1, *model.input_shape), np.float32))
    assert scores.shape == (1, 3) and np.isfinite(scores).all()
    assert dcz.cli.main(["info", sys.argv[1]]) == dcz.cli.main(["verify", sys.argv[1]]) == 0
    assert dcz.verify(sys.argv[1]).ok and dcz.report(sys.argv[1], "page.html").stat().st_size > 0
"""


def test_inference_needs_no_framework(tmp_path: Path, small_container: Path) -> None:
    code = textwrap.dedent(WITHOUT_FRAMEWORKS)
    done = subprocess.run([sys.executable, "-c", code, small_container], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_dcz_is_cheap(tmp_path: Path) -> None:
    code = "import sys, dcz.cli; dcz.cli.main(['--version']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "numba", "numpy", "PIL", "bitarray"} & set(done.stdout.split())


def test_a_look_into_a_container_needs_no_compiler(small_container: Path) -> None:
    code = "import sys, dcz; print(dcz.open(sys.argv[1]).labels, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, small_container], capture_output=True, text=True, check=True)
    assert not {"numba", "llvmlite", "PIL", "bitarray"} & set(done.stdout.split())
