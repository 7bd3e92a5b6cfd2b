"""Running the command line in this process, and small inputs for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from dcz.cli import main
from dcz.converters.architectures import ARCHITECTURES
from dcz.core.jit import COMPILATIONS


@pytest.fixture(autouse=True, scope="session")
def _compiled_before() -> Iterator[None]:
    """What a command says must not depend on whether it is the first one that has to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(COMPILATIONS, "kernels", 1)
        yield


class Result(NamedTuple):
    code: int
    out: str
    err: str


Dcz = Callable[..., Result]


@pytest.fixture
def dcz(capsys: pytest.CaptureFixture[str]) -> Dcz:
    """Run one command; gives its exit code and what it wrote."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def fails(dcz: Dcz) -> Callable[..., str]:
    """Run one command that must fail with one clear line; gives the line."""

    def run(*arguments: object, code: int = 1) -> str:
        result = dcz(*arguments)
        assert (result.code, result.out) == (code, "")
        assert result.err.startswith("dcz: error: ")
        assert result.err.count("\n") == 1
        assert result.err.endswith("\n")
        assert "bug in dcz" not in result.err
        return result.err

    return run


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict of LeNet-300-100, pruned to one weight in ten and shared in 16 values."""
    torch.manual_seed(3)
    with torch.no_grad():
        state = ARCHITECTURES["lenet_300_100"].factory().state_dict()
        for name, tensor in state.items():
            if tensor.ndim == 2:
                keep = tensor.abs() > tensor.abs().quantile(0.9) if tensor.numel() < 1e5 else tensor.abs() > 0.032
                step = tensor.abs().max() / 8
                state[name] = torch.where(keep, (tensor / step).round().clamp(-8, 8) * step, 0.0)
    path = tmp_path_factory.mktemp("checkpoint") / "lenet.pt"
    torch.save(state, path)
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three grey images, b.png before c.png before d.jpg."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    for name in ("b.png", "c.png", "d.jpg"):
        Image.fromarray(rng.integers(0, 256, (12, 12), dtype=np.uint8)).save(folder / name)
    return folder
