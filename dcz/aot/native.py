"""Compiled models from Python, by ctypes: without Numba, and with no import but NumPy."""

from __future__ import annotations

import ctypes
import json
import os
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core import memory
from ..core.errors import InputError

F32 = NDArray[np.float32]
API = 1
"""Version of the C interface that is understood."""


class NativeModel:
    """A shared library made by ``dcz compile``. Thread-safe: each call has an arena of its own.

    Parameters
    ----------
    path : path
        The library.
    prefix : str
        Of its names in C.
    target : str, optional
        A level that it was compiled for; the highest that the processor has without it.

    Attributes
    ----------
    path : str
    target : str
        What it was compiled for: of several levels, that which runs.
    facts : dict
        All facts about the model: ``network``, ``target``, ``batch``, ``inputs``, ``outputs``, ``labels``,
        ``preprocess`` and more.
    input_shapes, output_shapes : dict of str to tuple of int
        By name, of one sample, without the batch axis.
    labels : list of str
        Class names; empty where there are none.
    batch : int
        Samples that the library computes at a time.

    Raises
    ------
    InputError
        The file is not a compiled model, or was not compiled for the target, or for no level that the processor has.
    OSError
        It cannot be loaded.
    """

    def __init__(self, path: str | os.PathLike[str], prefix: str = "dcz_", target: str | None = None) -> None:
        self.path = os.path.abspath(path)
        self._library = ctypes.CDLL(self.path)
        try:
            describe, self._run = (getattr(self._library, prefix + name) for name in ("description", "run"))
        except AttributeError:
            found, hint = f"no {prefix}run in it", "give the prefix it was compiled with"
            raise InputError("not a compiled model", path=path, found=found, hint=hint) from None
        describe.restype = ctypes.c_char_p
        self.facts: dict[str, Any] = json.loads(describe())
        if self.facts["api"] != API:
            raise InputError("compiled for another interface", path=path, expected=API, found=self.facts["api"])
        self.target = self._chosen(prefix) if target is None else target
        levels = self.facts["target"].split(",")
        if self.target not in levels:
            raise InputError(
                "not compiled for this processor", path=path, expected=self.target, found=", ".join(levels)
            )
        if target is not None and len(levels) > 1:
            self._run = getattr(self._library, f"{prefix}run_{re.sub('[^0-9A-Za-z]', '_', target)}")
        self.batch: int = self.facts["batch"]
        self.labels: list[str] = self.facts["labels"]
        self.input_shapes, self.output_shapes = (
            {end["name"]: tuple(end["shape"][1:]) for end in self.facts[ends]} for ends in ("inputs", "outputs")
        )
        ends = len(self.input_shapes) + len(self.output_shapes)
        self._run.argtypes = [ctypes.c_void_p] * (ends + 1)
        self._arenas: deque[F32] = deque()

    def __repr__(self) -> str:
        return f"<dcz.NativeModel {self.facts['network']!r}: {self.input_shapes} -> {self.output_shapes}>"

    def __call__(self, *batch: ArrayLike | Mapping[str, ArrayLike]) -> Any:
        """Run the network.

        Parameters
        ----------
        *batch : array-like, shape ``(N, *input_shape)``
            N >= 0. Computed in float32. Several inputs are given one after the other, or in one mapping by name.

        Returns
        -------
        ndarray of float32, shape ``(N, *output_shape)``
            For several outputs a dict of such arrays by name.

        Raises
        ------
        InputError
            An array has another shape, or holds a number out of range.
        """
        inputs = self._arrays(batch)
        samples = len(inputs[0])
        outputs = [np.empty((samples, *shape), np.float32) for shape in self.output_shapes.values()]
        if samples == self.batch:  # the fast path: such a call may take microseconds
            self._once(inputs, outputs)
        else:
            self._parts(samples, inputs, outputs)
        return outputs[0] if len(outputs) == 1 else dict(zip(self.output_shapes, outputs, strict=True))

    def _chosen(self, prefix: str) -> str:
        """The target that the library chooses, or a word for none."""
        name = getattr(self._library, prefix + "target")
        name.restype = ctypes.c_char_p
        found: bytes | None = name()
        return "a lower level of x86-64" if found is None else found.decode()

    def _parts(self, samples: int, inputs: list[F32], outputs: list[F32]) -> None:
        whole = samples - samples % self.batch
        for start in range(0, whole, self.batch):
            part = slice(start, start + self.batch)
            self._once([x[part] for x in inputs], [y[part] for y in outputs])
        if whole < samples:
            self._rest([x[whole:] for x in inputs], [y[whole:] for y in outputs])

    def _rest(self, inputs: list[F32], outputs: list[F32]) -> None:
        """Run fewer samples than the library computes at a time, filled up with zeros."""
        filled = [np.zeros((self.batch, *x.shape[1:]), np.float32) for x in inputs]
        answers = [np.empty((self.batch, *y.shape[1:]), np.float32) for y in outputs]
        for whole, x in zip(filled, inputs, strict=True):
            whole[: len(x)] = x
        self._once(filled, answers)
        for y, answer in zip(outputs, answers, strict=True):
            y[...] = answer[: len(y)]

    def _once(self, inputs: list[F32], outputs: list[F32]) -> None:
        try:
            arena = self._arenas.pop()
        except IndexError:
            arena = memory.room(self.facts["arena_bytes"] // 4, np.float32)
        failed = self._run(*(array.ctypes.data for array in (*inputs, *outputs, arena)))
        self._arenas.append(arena)
        if failed:
            ranges = (f"{end['name']}: 0 to {end['below'] - 1}" for end in self.facts["inputs"] if "below" in end)
            raise InputError("number is out of range", expected=", ".join(ranges))

    def _arrays(self, batch: tuple[ArrayLike | Mapping[str, ArrayLike], ...]) -> list[F32]:
        given = batch
        if len(batch) == 1 and isinstance(batch[0], Mapping):
            if set(batch[0]) != set(self.input_shapes):
                found = ", ".join(map(repr, batch[0]))
                raise InputError("the inputs have other names", expected=", ".join(self.input_shapes), found=found)
            given = tuple(batch[0][name] for name in self.input_shapes)
        if len(given) != len(self.input_shapes):
            expected = f"{len(self.input_shapes)} ({', '.join(self.input_shapes)})"
            raise InputError("the network has another number of inputs", expected=expected, found=len(given))
        arrays = [np.ascontiguousarray(array, dtype=np.float32) for array in given]
        for array, (name, shape) in zip(arrays, self.input_shapes.items(), strict=True):
            if array.ndim != len(shape) + 1 or array.shape[1:] != shape or len(array) != len(arrays[0]):
                expected = f"(N, {', '.join(map(str, shape))})"
                raise InputError(
                    "batch has the wrong shape", where=f"input {name!r}", expected=expected, found=array.shape
                )
        return arrays


def load(path: str | os.PathLike[str], prefix: str = "dcz_", target: str | None = None) -> NativeModel:
    """Load a shared library made by ``dcz compile``; parameters as `NativeModel` takes them."""
    return NativeModel(path, prefix, target)
