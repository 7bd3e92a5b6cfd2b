"""dcz warm: compile what models need to start fast, and keep it: for images and installers."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from ..core.printable import printable
from .arguments import PRECISIONS, positive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..aot.targets import Target
    from ..runtime.network import Network

_log = logging.getLogger("dcz.cli")

THREADS = "most threads that will share a large layer (default: all cores of this machine)"
TARGET = """levels of x86-64, separated by commas: programs for machines of these levels, which get a copy of the
folder, in place of kernels and programs for this one"""
CLEAR = "first remove the compiled programs of all models"
PRECISION = "numbers to compile for, may be repeated (default: fp32, and with ranges u8 and auto)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("models", metavar="MODEL.dcz", nargs="*")
    parser.add_argument("--threads", metavar="N", type=positive, help=THREADS)
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help=PRECISION)
    parser.add_argument("--target", metavar="NAMES", help=TARGET)
    parser.add_argument("--clear", action="store_true", help=CLEAR)


def run(args: argparse.Namespace) -> int:
    """Print how much was compiled for each model, how long it took, and where it is kept."""
    from ..aot.programs import check_programs, clear, levels_of
    from ..core.errors import InputError
    from ..core.jit.cache import folder_in_use
    from ..runtime.settings import thread_count

    if not args.models and not args.clear:
        args.parser.error("the following arguments are required: MODEL.dcz")
    targets: list[Target | None] = [None] if args.target is None else [*levels_of(args.target)]
    if args.clear:
        removed = clear()
        print(f"{removed} program{'s' * (removed != 1)} removed")
    programs = bool(args.models)
    try:
        check_programs()
    except InputError as error:
        if args.target is not None:
            raise
        programs = False
        _log.warning("kernels are compiled, whole models are not: %s", error)
    for path in args.models:
        _warm(path, args.precision, thread_count(args.threads), targets if programs else [])
    if folder := folder_in_use():
        print(f"kept in {printable(folder)}")
    return 0


def _warm(path: str, precisions: list[str] | None, threads: int, targets: Sequence[Target | None]) -> None:
    """Compile the programs for some targets, and for this machine, None, the kernels too."""
    from ..aot.programs import keep_programs
    from ..core.errors import InputError, UnsupportedOpError
    from ..core.hub import fetched
    from ..core.jit import COMPILATIONS
    from ..core.readahead import Content
    from ..dcformat import open
    from ..runtime.network import Network

    kernels, seconds, unkept = COMPILATIONS.kernels, COMPILATIONS.seconds, COMPILATIONS.unkept
    content = Content(fetched(path))
    container, nbytes = open(content, path), 0
    ranges = container.graph is not None and container.graph.quantization is not None
    for precision in precisions or (("fp32", "u8", "auto") if ranges else ("fp32",)):
        network = Network(container, precision)
        if not any(targets):
            compile_kernels(network)
        try:
            nbytes += sum(keep_programs(content, network, threads, target) for target in targets)
        except UnsupportedOpError as error:
            _log.warning("%s: its kernels are compiled, the whole model is not: %s", path, error)
    kernels, seconds = COMPILATIONS.kernels - kernels, COMPILATIONS.seconds - seconds
    if COMPILATIONS.unkept > unkept:
        raise InputError("compiled kernels cannot be kept", hint="set NUMBA_CACHE_DIR to a folder with room")
    compiled = f"{kernels} kernel{'s' * (kernels != 1)} compiled in {seconds:.1f} s"
    print(f"{printable(path)}: {compiled}{f'; programs of {nbytes:,} bytes' if nbytes else ''}")


def compile_kernels(network: Network) -> None:
    """Compile all kernels of a network's plans, and of threads that share layers."""
    import numpy as np

    from ..runtime.execute.executor import Executor
    from ..runtime.slices import sizes_of
    from ..runtime.threads.spin_wait import watch
    from ..runtime.threads.team import Team

    team = Team(2)
    single = network.plan(1, team)
    for size in sizes_of(4 * single.layout.elements, network.alone):
        Executor(single if size == 1 else network.plan(size, team))
    watch(np.zeros(1, np.int64), 0, 0)
