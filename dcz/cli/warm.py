"""dcz warm: compile the kernels that models need, and keep them: for images and installers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..core.printable import printable

if TYPE_CHECKING:
    from ..runtime import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("models", metavar="MODEL.dcz", nargs="+")


def run(args: argparse.Namespace) -> int:
    """Print how many kernels were compiled for each model, how long it took, and where they are kept."""
    from ..core.errors import InputError
    from ..core.jit import COMPILATIONS
    from ..core.jit.cache import folder_in_use
    from ..runtime import load

    for path in args.models:
        kernels, seconds, unkept = COMPILATIONS.kernels, COMPILATIONS.seconds, COMPILATIONS.unkept
        run_all_plans(load(path, threads=2))
        kernels, seconds = COMPILATIONS.kernels - kernels, COMPILATIONS.seconds - seconds
        if COMPILATIONS.unkept > unkept:
            raise InputError("compiled kernels cannot be kept", hint="set NUMBA_CACHE_DIR to a folder with room")
        print(f"{printable(path)}: {kernels} kernel{'s' * (kernels != 1)} compiled in {seconds:.1f} s")
    if folder := folder_in_use():
        print(f"kept in {printable(folder)}")
    return 0


def run_all_plans(model: Model) -> None:
    """Run every plan of a model, and its helper threads, so that no kernel is left to compile.

    Parameters
    ----------
    model : Model
        Of two threads.
    """
    from ..runtime.network import SLICES

    model(model.noise(sum(SLICES)))  # a slice of each size
    model(model.noise(1))  # alone: while several slices run, no helper thread is free for a large layer
