"""Compile a container: its plans, kernels and packed weights as one object with a C interface."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .. import dcformat
from ..core.errors import InputError
from ..core.jit.cross import make_object
from ..core.output import check_output, replacing
from ..runtime.network import Network
from ..runtime.plan.plan import Plan
from ..runtime.slices import sizes_of, slices
from .assembly import FLOAT_BYTES, Constants, Kernels
from .entry import entry
from .header import header as header_text
from .interface import PREFIX, Interface, check_prefix, ends_of
from .linking import ENDINGS, WASM_ENDINGS, archive, link, linker
from .run import Run
from .targets import NATIVE, Target, find_target

MOST_SAMPLES = 1 << 12
"""Greatest batch."""


@dataclass(frozen=True)
class Report:
    """What was compiled.

    Attributes
    ----------
    output : str
    target : str
    file_bytes : int
        Of the file.
    constant_bytes : int
        Packed weights and tables in it.
    arena_bytes : int
        Memory that a caller gives it.
    kernels : int
        Kernels in it.
    batch : int
    largest_layer, largest_bytes : str, int
        The layer whose packed weights are the largest, and their bytes; of a batch, in the plan of its largest slice.
    """

    output: str
    target: str
    file_bytes: int
    constant_bytes: int
    arena_bytes: int
    kernels: int
    batch: int
    largest_layer: str
    largest_bytes: int


def compile_model(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    header: str | os.PathLike[str] | None = None,
    target: str = NATIVE,
    batch: int = 1,
    prefix: str = PREFIX,
) -> Report:
    """Compile a container into an object file or a library with a C interface.

    Answers are those of `dcz.load` with one thread, bit by bit on the same processor, within rounding on others.

    Parameters
    ----------
    model : path
        The container.
    output : path
        ``.o`` an object file, ``.a`` a static library, ``.so`` a shared one, ``.wasm`` a module of WebAssembly.
    header : path, optional
        Where to write the C header.
    target : str
        A name from `dcz.aot.targets.TARGETS`, or ``native``: this machine.
    batch : int
        Samples a call.
    prefix : str
        Of the names in C.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        Unknown ending, target or prefix; no linker.
    UnsupportedOpError
        A kernel needs more than C's library.
    FormatError
        The container is not valid, or holds no graph.
    OSError
        A file cannot be read or written.
    """
    chosen = find_target(target)
    ending = _ending(output, chosen)
    if not 1 <= batch <= MOST_SAMPLES:
        raise InputError("batch is out of range", expected=f"1 to {MOST_SAMPLES}", found=batch)
    check_prefix(prefix)
    for path in (output, header):
        if path is not None:
            check_output(path, model)
    if ending in (".so", ".wasm"):
        linker(chosen)  # before the work
    with dcformat.open(model) as container:
        made = _compile(Network(container), Path(model).stem, chosen, batch, prefix)
    content = made.content
    if ending == ".a":
        content = archive("model.o", content, made.interface.symbols)
    elif ending != ".o":
        content = link(content, chosen, made.interface.symbols)
    _write(output, content)
    if header is not None:
        guard = re.sub("[^0-9A-Z]", "_", f"{prefix}{Path(header).name}".upper())
        _write(header, header_text(made.interface, guard).encode())
    largest = max(made.plan.steps, key=lambda step: step.weight_bytes, default=None)
    return Report(
        output=os.fspath(output),
        target=chosen.name,
        file_bytes=len(content),
        constant_bytes=made.constant_bytes,
        arena_bytes=made.interface.arena_bytes,
        kernels=made.kernels,
        batch=batch,
        largest_layer="" if largest is None else largest.weight or largest.op,
        largest_bytes=0 if largest is None else largest.weight_bytes,
    )


@dataclass(frozen=True)
class _Object:
    """An object file and what is known of it."""

    content: bytes
    interface: Interface
    plan: Plan
    constant_bytes: int
    kernels: int


def _compile(network: Network, name: str, target: Target, batch: int, prefix: str) -> _Object:
    single = network.plan(1, target=target.planned)
    parts = [*slices(batch, 1, sizes_of(FLOAT_BYTES * single.layout.elements, network.alone))]
    sizes = sorted({size for _, size in parts}, reverse=True)
    plans = {size: single if size == 1 else network.plan(size, target=target.planned) for size in sizes}
    container, arena = network.container, max(plan.layout.elements for plan in plans.values())
    interface = Interface(
        network=name,
        target=target.name,
        batch=batch,
        arena_bytes=FLOAT_BYTES * arena,
        inputs=ends_of("in", network.input_shapes, batch, network.limits),
        outputs=ends_of("out", network.output_shapes, batch, {}),
        labels=container.labels or [],
        preprocess=container.preprocess,
        prefix=prefix,
    )
    kernels, constants = Kernels(target.processor), Constants()
    # A plan for one thread is one function.
    runs = {size: Run(f"run_{size}", plan, kernels, constants).stages[0].whole for size, plan in plans.items()}
    lines = [
        *(constants.definition(), *kernels.declarations()),
        *(run.definition() for run in runs.values()),
        *entry(interface, [(start, runs[size].name) for start, size in parts]),
        *interface.assembly(f"i{target.processor.bits}"),
    ]
    symbols = set(interface.symbols)
    content = make_object(kernels.code.items(), "\n".join(lines), target.processor, symbols.__contains__)
    return _Object(content, interface, plans[sizes[0]], constants.nbytes, len(kernels.code))


def _ending(output: str | os.PathLike[str], target: Target) -> str:
    ending, known = Path(output).suffix, WASM_ENDINGS if target.wasm else ENDINGS
    if ending not in known:
        where = f"for {target.name}"
        raise InputError(
            "the output has another ending", path=output, where=where, expected=", ".join(known), found=ending or "none"
        )
    return ending


def _write(path: str | os.PathLike[str], content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
