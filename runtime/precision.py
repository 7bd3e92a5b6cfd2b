"""The numbers that a network is computed in."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ..dcformat import Graph, InputError
from ..dcformat.graph.quantization import QUANTIZED_OPS
from .compiled.place import MIXED
from .plan.target import Target

PRECISIONS = ("fp32", "s16", "u8", "auto")
"""Numbers to compute with; ``auto``: those with 8 bits where the container has ranges."""


class Arithmetic(NamedTuple):
    """What a precision means for a graph."""

    name: str
    """``fp32``, ``s16`` or ``u8``."""
    integers: bool
    """Whether values that have a range are held as bytes."""
    words: bool
    """Whether convolutions in float32 may be computed in words of 16 bits."""

    @property
    def one_by_one(self) -> bool:
        """Whether the samples of a batch are computed one by one, so that no answer depends on the batch."""
        return self.integers or self.words

    @property
    def program(self) -> str:
        """The name by which compiled programs are kept: of each combination its own."""
        return MIXED if self.integers and self.words else self.name

    def target(self, target: Target) -> Target:
        """A processor, with the kernels that may be chosen."""
        return replace(target, words=self.words)


def arithmetic(graph: Graph, precision: str, path: str) -> Arithmetic:
    """What a precision means for a graph.

    Raises
    ------
    InputError
        The precision is unknown, or needs ranges that the container, named by `path`, does not have.
    """
    if precision not in PRECISIONS:
        raise InputError("unknown precision", expected=", ".join(PRECISIONS), found=repr(precision))
    ranges = _has_ranges(graph)
    if precision == "u8" and not ranges:
        hint = "find them: dcz calibrate MODEL.dcz IMAGES -o OUT.dcz"
        raise InputError("the container has no ranges for 8-bit integers", path=path, hint=hint)
    if precision == "auto":
        return Arithmetic("u8", True, True) if ranges else Arithmetic("fp32", False, False)
    return Arithmetic(precision, precision == "u8", precision == "s16")


def _has_ranges(graph: Graph) -> bool:
    """Whether a layer's weight has scales and its input a range."""
    given = graph.quantization
    return given is not None and any(
        node.inputs[0] in given.values and node.params["weight"] in given.weights
        for node in graph.nodes
        if node.op in QUANTIZED_OPS
    )
