"""Choice of kernels by trial: the best few by estimated cost are timed once, and a file keeps the fastest.

The estimates are fitted to one kind of processor. On another one, and for unusual shapes, a trial is more accurate.
Fully connected layers are memory-bound, which a trial with warm caches would not show: estimates choose their kernels.

The file is JSON: ``{"format": 1, "picks": {LAYER: CHOICE}}``. LAYER encodes the processor, the sizes of the layer and
its number of weights, so one file serves many models and machines. If this version lacks the kernel of a CHOICE, the
trial is repeated.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict

import llvmlite.binding as llvm
import numpy as np

from ...core.numba_settings import cpu_name
from ...core.output import check_output, replacing
from ...core.timing import Clock, Interleaved, clock_of
from ...dcformat import InputError, Tensor
from ..jit import ready
from ..kernels.contract import ConvGeometry, Epilogue, PackedLayer
from .memory import aligned
from .problem import Choice
from .select import WORD_KERNELS

FORMAT = 1
SECONDS, TURN_SECONDS = 0.03, 0.001
"""Approximate seconds for the trials of a layer, and for a turn of one choice. At least five rounds are run."""
UNLIKELY = 2.0
"""Greatest ratio to the least estimate at which a choice is tried."""
GAIN = 0.97
"""Another choice replaces the first estimate only if its time is within this share of the first one's."""


class Tuning:
    """Kernel choices from trials, kept in a file.

    Parameters
    ----------
    path : str or os.PathLike
        The file. If it does not exist, it starts empty.

    Raises
    ------
    InputError
        The file is not a tuning file.
    OSError
        The file cannot be read or written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check_output(path)
        self._path = path
        self._picks = _read(path)
        self._kept = dict(self._picks)
        self._trying = threading.Lock()  # one trial at a time

    def pick(
        self, choices: Sequence[Choice], weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, lanes: int
    ) -> PackedLayer:
        """Pack a layer with the choice of an earlier trial, else of a new one.

        Parameters
        ----------
        choices : sequence of Choice
            The fastest by estimate first.
        weight : Tensor
        geometry : ConvGeometry
        epilogue : Epilogue
        lanes : int
            Samples interleaved in memory.
        """
        words = any(choice.kernel in WORD_KERNELS for choice in choices)
        layer, known = _layer(weight, geometry, epilogue, lanes, words), {choice.name: choice for choice in choices}
        with self._trying:
            if self._picks.get(layer) not in known:
                likely = [choice for choice in choices if choice.cycles <= UNLIKELY * choices[0].cycles]
                self._picks[layer] = likely[0].name if len(likely) == 1 else _fastest(likely, geometry, epilogue, lanes)
        return known[self._picks[layer]].pack()

    def save(self) -> None:
        """Write the file if there were new trials."""
        if self._picks != self._kept:
            with replacing(self._path) as file:
                text = json.dumps({"format": FORMAT, "picks": self._picks}, indent=1, sort_keys=True)
                file.write(text.encode() + b"\n")
            self._kept = dict(self._picks)


def _read(path: str | os.PathLike[str]) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"not a tuning file: {error}", path=path, hint="delete it, or name another one") from None
    picks = content.get("picks") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(picks, dict):
        expected = f'{{"format": {FORMAT}, "picks": ...}}'
        raise InputError("not a tuning file", path=path, expected=expected, hint="delete it, or name another one")
    return picks


def _layer(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, lanes: int, words: bool) -> str:
    """Key of a layer's trials: all that decides their speed. Not the batch: a split batch must give the same bits."""
    idle = "batch", "nonnegative"
    processor = cpu_name() or llvm.get_host_cpu_name()
    sizes = " ".join(f"{name}={value}" for name, value in asdict(geometry).items() if name not in idle)
    added = " residual" * epilogue.residual + " pool" * epilogue.pool + " overlap" * epilogue.overlap + " words" * words
    return f"{processor}: {sizes} nonzero={weight.nnz} lanes={lanes}{added}"


def _fastest(choices: Sequence[Choice], geometry: ConvGeometry, epilogue: Epilogue, lanes: int) -> str:
    """Name of the fastest choice; the first choice unless another is clearly faster."""
    g = geometry
    samples, rng = g.batch // lanes, np.random.default_rng(0)
    x = aligned(samples * g.in_channels * g.height * g.width * lanes)
    x[:] = rng.standard_normal(x.size, np.float32)
    out = aligned(samples * g.out_channels * g.out_height * g.out_width * lanes)
    packed = {choice.name: choice.pack() for choice in choices}
    scratch = aligned(max(layer.scratch_elements for layer in packed.values()))
    images = x.reshape(samples, g.in_channels, g.height, g.width, lanes)
    answers = out.reshape(samples, g.out_channels, g.out_height, g.out_width, lanes)
    residual = answers if epilogue.residual else None

    def clock(layer: PackedLayer) -> Clock:
        calls = [ready(call) for call in layer.bind(images, answers, residual, scratch)]

        def run() -> None:
            for function, arguments in calls:
                function(*arguments)

        return clock_of(run)

    turns = Interleaved({name: clock(layer) for name, layer in packed.items()}, TURN_SECONDS)
    for _ in range(turns.rounds(SECONDS)):
        turns.round()
    seconds = {name: min(times) for name, times in turns.seconds.items()}
    first, best = choices[0].name, min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < GAIN * seconds[first] else first
