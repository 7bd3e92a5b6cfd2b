"""A container together with what was compiled of it for this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dcz.aot.compile import Report, compile_model
from dcz.aot.native import NativeModel


class Compiled(NamedTuple):
    """A container, and what was compiled of it for this machine."""

    container: Path
    library: Path
    header: Path
    report: Report

    def load(self) -> NativeModel:
        return NativeModel(self.library)


def compiled(container: Path, folder: Path, **options: Any) -> Compiled:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler to link with")
    library, header = folder / f"{container.stem}.so", folder / f"{container.stem}.h"
    return Compiled(container, library, header, compile_model(container, library, header, **options))
