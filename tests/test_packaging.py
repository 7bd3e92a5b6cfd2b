"""Packaging: pinned versions that fit together, and install commands that use them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = [
    Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
]
ACCEPTED = {
    required.name: required.specifier
    for required in map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"]["convert"])
}


def test_each_package_that_dcz_imports_is_pinned_to_a_version_that_it_accepts() -> None:
    assert [pinned.name for pinned in CONSTRAINTS] == sorted(ACCEPTED)
    for pinned in CONSTRAINTS:
        (exactly,) = pinned.specifier
        assert exactly.operator == "=="
        assert exactly.version in ACCEPTED[pinned.name], pinned.name


def test_torch_has_no_upper_bound() -> None:
    assert {bound.operator for bound in ACCEPTED["torch"]} == {">="}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_commands_that_install_torch_pin_it(page: str) -> None:
    commands = [line for line in (ROOT / page).read_text().splitlines() if "pip install" in line and "'.[" in line]
    installing = [line for line in commands if "[dask]" not in line]
    assert installing
    assert all("-c constraints.txt" in line for line in installing)
