"""Compiled programs of a container for this machine, kept where `dcz.load` finds them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from ..core import kept
from ..core.compilers import compilers
from ..core.errors import InputError
from ..core.jit.cross import make_object
from ..core.levels import FUSING
from ..core.readahead import Content
from ..runtime.compiled.find import digest_of
from ..runtime.compiled.place import ENDING, Key, folders, machine, usable
from ..runtime.facts import Facts, facts_of
from ..runtime.network import Network
from ..runtime.plan.plan import Plan
from ..runtime.threads.spin_wait import watch_kernel
from ..runtime.threads.team import Team
from .assembly import Constants, Function, Kernels, flat, function_text
from .builtin import builtin
from .interface import text_function
from .linking import link, linker
from .run import Run
from .targets import Target, find_targets, this_machine

LIMIT = 1 << 30
"""Greatest size in bytes of all programs in a folder: the oldest are removed, but never one that was just made."""
FACTS, LAYOUT, WATCH, ANSWER = "facts", "layout", "watch", "answer"
"""Symbols besides those of the stages."""


def check_programs() -> None:
    """Check that programs can be compiled here, and used.

    Raises
    ------
    InputError
        There is no linker; the machine is not known; the environment switches programs off.
    """
    if not usable():
        found = "another system, or a variable such as NUMBA_DISABLE_JIT"
        raise InputError("compiled programs are not used here", expected="Linux, and no such setting", found=found)
    linker(this_machine())


def keep_programs(content: Content, network: Network, threads: int, target: Target | None = None) -> int:
    """Compile the programs of a network, for slices of all sizes, and keep them.

    Parameters
    ----------
    content : Content
        Of its container.
    network : Network
    threads : int
        Most that will share a large layer.
    target : Target, optional
        What `levels_of` gives, for machines of that level; this machine without it.

    Returns
    -------
    int
        Bytes of all programs.

    Raises
    ------
    InputError
        Linking failed, or no folder can be written.
    UnsupportedOpError
        A kernel needs more than C's library.
    """
    team, made_for = Team(threads), machine() if target is None else target.name
    target = this_machine() if target is None else target
    key = Key(len(content), digest_of(content), network.arithmetic.program, 1, made_for)
    single = network.plan(1, team, target=target.planned)
    facts, made = facts_of(network, single), list[str]()
    for size in facts.sizes:
        plan = single if size == 1 else network.plan(size, team, target=target.planned)
        made.append(_keep(key._replace(size=size), compile_program(plan, facts, target)))
    for folder in {os.path.dirname(file) for file in made}:
        prune(folder, made)
    return sum(map(os.path.getsize, made))


def levels_of(names: str) -> list[Target]:
    """Levels of x86-64, separated by commas, to keep programs for.

    Raises
    ------
    InputError
        There is none of a name.
    """
    targets = find_targets(names)
    if other := [target.name for target in targets if target.name not in FUSING or target.native]:
        raise InputError("programs are not kept for every target", expected=", ".join(FUSING), found=", ".join(other))
    return targets


def compile_program(plan: Plan, facts: Facts, target: Target) -> bytes:
    """Compile a plan into a shared library, which `dcz.runtime.compiled.program` loads.

    Parameters
    ----------
    plan : Plan
    facts : Facts
        Of the model.
    target : Target
    """
    kernels, constants = Kernels(target.processor), Constants()
    run, watch = Run("run", plan, kernels, constants), _watch(kernels)
    stages, alone = [(stage.whole.name, [part.name for part in stage.parts]) for stage in run.stages], run.alone()
    answers = plan.batch == 1 and facts.one_to_one
    layout = {"elements": run.elements, "stages": stages, "alone": alone.name, "answers": answers}
    functions = [*run.functions, alone]
    lines = [
        *kernels.declarations(),
        *(function.definition() for function in functions),
        watch,
        *(_answer(alone, facts, run.elements) if answers else ()),
        *text_function(FACTS, facts.to_json()),
        *text_function(LAYOUT, json.dumps({**layout, "compilers": compilers()})),
    ]
    symbols = [FACTS, LAYOUT, WATCH, *([ANSWER] if answers else ()), *(function.name for function in functions)]
    code, text = kernels.code.items(), "\n".join(lines)
    content = make_object(code, text, constants.data, target.processor, set(symbols).__contains__)
    return link(content, target, symbols)


def prune(folder: str, spared: list[str], limit: int = LIMIT) -> None:
    """Remove the oldest programs in a folder until all take at most `limit` bytes; not those `spared`."""
    files = sorted(_programs(folder))
    excess = sum(nbytes for _, nbytes, _ in files) - limit
    for _, nbytes, path in files:
        if excess > 0 and path not in spared and _remove(path):
            excess -= nbytes


def clear() -> int:
    """Remove all compiled programs that this user may remove.

    Returns
    -------
    int
        Their number.
    """
    return sum(_remove(path) for folder in folders() for _, _, path in _programs(folder))


def _keep(key: Key, program: bytes) -> str:
    for path in key.paths:
        try:
            kept.write(path, key.whole, program)
        except OSError:  # no right to write there, a full disk
            continue
        return path
    raise InputError("compiled programs cannot be kept", hint="set NUMBA_CACHE_DIR to a folder with room")


def _programs(folder: str) -> Iterator[tuple[int, int, str]]:
    """Time of change, size and path of each program in a folder, and of what writers that were killed left."""
    with suppress(OSError), os.scandir(folder) as entries:  # there is no such folder, or one is just removed
        for entry in entries:
            if ENDING in entry.name:
                status = entry.stat()
                yield status.st_mtime_ns, status.st_size, entry.path


def _remove(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _answer(alone: Function, facts: Facts, elements: int) -> Iterator[str]:
    """The function by which Python calls the program for a sample."""
    (given,), (made,) = facts.inputs.values(), facts.outputs.values()
    return builtin(ANSWER, alone.name, (1, *given), (1, *made), elements)


def _watch(kernels: Kernels) -> str:
    """The function by which threads wait for each other: ``@watch(flags, place, value)``."""
    flags = np.zeros(2, np.int64)
    symbol = kernels.symbol(WATCH, watch_kernel, (flags, 0, 0))
    call = kernels.call(symbol, (*flat(flags, iter(["%flags"])), "%place", "%value"))
    return function_text(WATCH, "ptr %flags, i64 %place, i64 %value", [call])
