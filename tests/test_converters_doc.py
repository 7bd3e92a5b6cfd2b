"""docs/converters.md lists names; they must be those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dcz.converters.frontends.state_dicts.matching import BOOKKEEPING, LOSSES, WRAPPERS
from dcz.converters.frontends.state_dicts.nesting import USUAL
from dcz.converters.frontends.state_dicts.parametrized import FORMS, Form

DOC = (Path(__file__).parent.parent / "docs" / "converters.md").read_text()


@pytest.mark.parametrize("name", [*USUAL, *sorted(WRAPPERS), *sorted(BOOKKEEPING), *(f"{loss}..." for loss in LOSSES)])
def test_every_name_is_listed(name: str) -> None:
    assert f"`{name}`" in DOC


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_a_row(form: Form) -> None:
    first, *rest = (part.format("weight" if form.plain == "{}" else "") for part in form.parts)
    stem = "parametrizations.weight"
    row = f"| {', '.join(f'`{name}`' for name in (first, *(name.removeprefix(stem) for name in rest)))} |"
    assert row in DOC
    assert len(re.findall(r"^\| `", DOC, re.MULTILINE)) == len(FORMS) + 1
