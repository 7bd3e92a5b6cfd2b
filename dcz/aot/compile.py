"""Compile a container: its plans, kernels and packed weights as one object with a C interface."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
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
from .dispatch import dispatch
from .entry import checks, entry
from .header import header as header_text
from .interface import PREFIX, Interface, check_prefix, ends_of
from .linking import ENDINGS, WASM_ENDINGS, archive, link, linker
from .run import Run
from .streaming import Streamed, Streaming
from .targets import NATIVE, Target, find_targets

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
    peak_bytes : int
        Memory of a call, without its stack: the arena, inputs and outputs.
    streamed : Streamed or None
        Sizes of streamed weights, of the same plan.
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
    peak_bytes: int
    streamed: Streamed | None


def compile_model(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    header: str | os.PathLike[str] | None = None,
    target: str = NATIVE,
    batch: int = 1,
    prefix: str = PREFIX,
    precision: str = "fp32",
    stream_weights: bool = False,
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
        A name from `dcz.aot.targets.TARGETS`, or ``native``: this machine. Several levels of x86-64, separated by
        commas, are compiled into one file, which takes the highest that its processor has.
    batch : int
        Samples a call.
    prefix : str
        Of the names in C.
    precision : str
        As for `dcz.load`. Answers of ``u8`` are the same bits on each processor, where no layer is left in float32.
    stream_weights : bool
        Keep weights coded, and decode each layer's in the arena before it runs: less memory in all, and more time a
        call. Answers are the same bits.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        Unknown ending, target, prefix or precision, or one that needs ranges; no linker.
    UnsupportedOpError
        A kernel needs more than C's library.
    FormatError
        The container is not valid, or holds no graph.
    OSError
        A file cannot be read or written.
    """
    targets = find_targets(target)
    chosen = targets[0]
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
        made = _compile(Network(container, precision), Path(model).stem, targets, batch, prefix, stream_weights)
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
        target=made.interface.target,
        file_bytes=len(content),
        constant_bytes=made.constant_bytes,
        arena_bytes=made.interface.arena_bytes,
        kernels=made.kernels,
        batch=batch,
        largest_layer="" if largest is None else largest.weight or largest.op,
        largest_bytes=0 if largest is None else largest.weight_bytes,
        peak_bytes=made.interface.peak_bytes,
        streamed=made.streamed,
    )


@dataclass(frozen=True)
class _Object:
    """An object file and what is known of it."""

    content: bytes
    interface: Interface
    plan: Plan
    constant_bytes: int
    kernels: int
    streamed: Streamed | None


def _compile(
    network: Network, name: str, targets: Sequence[Target], batch: int, prefix: str, stream_weights: bool
) -> _Object:
    constants = Constants()
    levels = [
        _Level(network, target, batch, constants, f".{number}", stream_weights) for number, target in enumerate(targets)
    ]
    container, lowest, highest = network.container, targets[0].processor, levels[-1]
    interface = Interface(
        network=name,
        targets=tuple(target.name for target in targets),
        batch=batch,
        arena_bytes=max(level.arena_bytes for level in levels),
        inputs=ends_of("in", network.input_shapes, batch, network.limits),
        outputs=ends_of("out", network.output_shapes, batch, {}),
        labels=container.labels or [],
        preprocess=container.preprocess,
        prefix=prefix,
        precision=network.arithmetic.name,
    )
    lines = [
        *(line for level in levels for line in level.assembly()),
        *checks(interface),
        *(
            line
            for run, level in zip(interface.runs, levels, strict=True)
            for line in entry(interface, run, level.parts)
        ),
        *(dispatch(interface) if len(levels) > 1 else ()),
        *interface.assembly(f"i{lowest.bits}"),
    ]
    code = [each for level in levels for each in level.kernels.code.items()]
    content = make_object(code, "\n".join(lines), constants.data, lowest, set(interface.symbols).__contains__)
    return _Object(content, interface, highest.largest, constants.nbytes, len(code), highest.streamed)


class _Level:
    """A network's plans for a target, as functions.

    Attributes
    ----------
    parts : list of (int, str)
        Of each slice of the batch: its first sample, and the function that runs it.
    kernels : Kernels
    largest : Plan
        For the largest slice.
    streamed : Streamed or None
        Sizes of its streamed weights.
    arena_bytes : int
    """

    def __init__(
        self, network: Network, target: Target, batch: int, constants: Constants, ending: str, stream_weights: bool
    ) -> None:
        single = network.plan(1, target=target.planned)
        cut = [*slices(batch, 1, sizes_of(FLOAT_BYTES * single.layout.elements, network.alone))]
        sizes = sorted({size for _, size in cut}, reverse=True)
        plans = {size: single if size == 1 else network.plan(size, target=target.planned) for size in sizes}
        self.kernels = Kernels(target.processor, ending)
        streams = {size: Streaming(plan, constants) if stream_weights else None for size, plan in plans.items()}
        runs = {
            size: Run(f"run_{size}{ending}", plan, self.kernels, constants, streams[size])
            for size, plan in plans.items()
        }
        # A plan for one thread is one function.
        functions = {size: run.stages[0].whole for size, run in runs.items()}
        self._functions = list(functions.values())
        self.parts = [(start, functions[size].name) for start, size in cut]
        self.largest, largest = plans[sizes[0]], streams[sizes[0]]
        self.streamed = None if largest is None else largest.sizes
        self.arena_bytes = FLOAT_BYTES * max(run.elements for run in runs.values())

    def assembly(self) -> Iterator[str]:
        """The functions in LLVM assembly."""
        yield from self.kernels.declarations()
        yield from (function.definition() for function in self._functions)


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
