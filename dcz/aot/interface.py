"""The C interface of a compiled model: names, sizes, the header, and the functions that tell about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

from .. import __version__
from ..core.errors import InputError
from ..dcformat import Preprocess, Shape
from .assembly import ALIGNMENT, FLOAT_BYTES, define_bytes

PREFIX = "dcz_"
DONE, BAD_ADDRESS, BAD_NUMBER, BAD_PROCESSOR = 0, 1, 2, 3
"""What ``run`` returns."""
API = 1
"""Version of the C interface; a change that breaks callers raises it."""


@dataclass(frozen=True)
class End:
    """An input or an output.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Of all samples of a call.
    parameter : str
        Its name in C.
    below : int or None
        It takes whole numbers from 0 to less than this; None for any float.
    """

    name: str
    shape: Shape
    parameter: str
    below: int | None = None

    @property
    def size(self) -> int:
        """Number of floats."""
        return prod(self.shape)


@dataclass(frozen=True)
class Interface:
    """What callers need to know of a compiled model.

    Attributes
    ----------
    network : str
    targets : tuple of str
        One; or several levels of x86-64, the lowest first, of which one is chosen at run time.
    batch, arena_bytes : int
    inputs, outputs : tuple of End
    labels : list of str
    preprocess : Preprocess or None
    prefix : str
        Of all symbols.
    version : str
        Of dcz.
    precision : str
        ``fp32``, ``s16`` or ``u8``.
    """

    network: str
    targets: tuple[str, ...]
    batch: int
    arena_bytes: int
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    labels: list[str] = field(default_factory=list)
    preprocess: Preprocess | None = None
    prefix: str = PREFIX
    version: str = __version__
    precision: str = "fp32"

    @property
    def symbols(self) -> list[str]:
        """All symbols that an object file shows."""
        names = [self.prefix + name for name in ("run", "target", *self._texts, *self._sizes, *self._tables)]
        return [*names, *(self.runs if len(self.targets) > 1 else ())]

    @property
    def runs(self) -> list[str]:
        """For each target, the function that runs the network on it."""
        if len(self.targets) == 1:
            return [f"{self.prefix}run"]
        return [f"{self.prefix}run_{re.sub('[^0-9A-Za-z]', '_', target)}" for target in self.targets]

    @property
    def peak_bytes(self) -> int:
        """Memory of a call, without its stack: the arena, inputs and outputs."""
        return self.arena_bytes + FLOAT_BYTES * sum(end.size for end in (*self.inputs, *self.outputs))

    @property
    def target(self) -> str:
        """All targets as one name."""
        return ",".join(self.targets)

    @property
    def description(self) -> str:
        """All facts, as JSON."""
        facts = {
            "api": API,
            "version": self.version,
            "network": self.network,
            "target": self.target,
            "precision": self.precision,
            "batch": self.batch,
            "arena_bytes": self.arena_bytes,
            "alignment": ALIGNMENT,
            "inputs": [_facts(end) for end in self.inputs],
            "outputs": [_facts(end) for end in self.outputs],
            "labels": self.labels,
            "preprocess": None if self.preprocess is None else asdict(self.preprocess),
        }
        return json.dumps(facts, separators=(",", ":"))

    @property
    def _texts(self) -> dict[str, str]:
        return {"version": self.version, "network": self.network, "description": self.description}

    @property
    def _sizes(self) -> dict[str, list[int]]:
        sizes = {"input_size": self.inputs, "output_size": self.outputs}
        return {name: [end.size for end in ends] for name, ends in sizes.items()} | {"arena_size": [self.arena_bytes]}

    @property
    def _tables(self) -> dict[str, list[str]]:
        ends = {"input_name": self.inputs, "output_name": self.outputs}
        return {name: [end.name for end in of] for name, of in ends.items()} | {"label": self.labels}

    def assembly(self, size_type: str) -> Iterator[str]:
        """The functions that tell about the model, in LLVM assembly.

        Parameters
        ----------
        size_type : str
            LLVM's type for C's ``size_t``.
        """
        texts = self._texts | ({"target": self.target} if len(self.targets) == 1 else {})
        for name, text in texts.items():
            yield from text_function(self.prefix + name, text)
        for name, sizes in self._sizes.items():
            yield from _size_function(self.prefix + name, sizes, size_type, name != "arena_size")
        for name, table in self._tables.items():
            yield from _table_function(self.prefix + name, table)


def ends_of(kind: str, shapes: dict[str, Shape], batch: int, limits: dict[int, int]) -> tuple[End, ...]:
    """Inputs (`kind` ``in``) or outputs (``out``) by their names, with names for C that differ.

    Parameters
    ----------
    kind : str
    shapes : dict of str to tuple of int
        Of one sample.
    batch : int
    limits : dict of int to int
        By number: what `dcz.dcformat.graph.ids.id_limits` gives.
    """
    taken: list[str] = []
    for name in shapes:
        word = kind if len(shapes) == 1 else f"{kind}_{re.sub('[^0-9A-Za-z]', '_', name)}"
        taken.append(f"{word}_{len(taken)}" if word in taken else word)
    pairs = enumerate(zip(shapes.items(), taken, strict=True))
    return tuple(End(name, (batch, *shape), word, limits.get(i)) for i, ((name, shape), word) in pairs)


def check_prefix(prefix: str) -> str:
    """Refuse a prefix that makes no names of C; raises InputError."""
    if not re.fullmatch("[A-Za-z_][0-9A-Za-z_]*", prefix):
        raise InputError("the prefix makes no names of C", expected="letters, digits and _", found=prefix)
    return prefix


def _facts(end: End) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": end.name, "shape": end.shape}
    return facts if end.below is None else {**facts, "below": end.below}


def text_function(name: str, text: str) -> Iterator[str]:
    """A function that returns a text, in LLVM assembly."""
    yield define_bytes(f"@{name}.text", text.encode() + b"\0")
    yield f"define ptr @{name}() {{\n  ret ptr @{name}.text\n}}"


def _size_function(name: str, sizes: Sequence[int], size_type: str, numbered: bool) -> Iterator[str]:
    if not numbered:
        yield f"define {size_type} @{name}() {{\n  ret {size_type} {sizes[0]}\n}}"
        return
    cases = " ".join(f"i32 {i}, label %is{i}" for i in range(len(sizes)))
    blocks = "\n".join(f"is{i}:\n  ret {size_type} {size}" for i, size in enumerate(sizes))
    yield f"define {size_type} @{name}(i32 %n) {{\n  switch i32 %n, label %none [ {cases} ]"
    yield f"{blocks}\nnone:\n  ret {size_type} 0\n}}"


def _table_function(name: str, texts: Sequence[str]) -> Iterator[str]:
    """A function from a number to a text, or to NULL: by offsets, as addresses in a constant would be relocated."""
    starts, data = [], b""
    for text in texts:
        starts.append(len(data))
        data += text.encode() + b"\0"
    offsets = b"".join(start.to_bytes(4, "little") for start in starts)
    yield define_bytes(f"@{name}.texts", data or b"\0")
    yield define_bytes(f"@{name}.starts", offsets or bytes(4), 4)
    yield f"""define ptr @{name}(i32 %n) {{
  %inside = icmp ult i32 %n, {len(texts)}
  br i1 %inside, label %found, label %none
found:
  %place = getelementptr i32, ptr @{name}.starts, i32 %n
  %start = load i32, ptr %place
  %text = getelementptr i8, ptr @{name}.texts, i32 %start
  ret ptr %text
none:
  ret ptr null
}}"""
