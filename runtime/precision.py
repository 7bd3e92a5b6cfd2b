"""The numbers that a network is computed in."""

from __future__ import annotations

from ..dcformat import Graph, InputError

PRECISIONS = ("fp32", "u8", "auto")
"""Numbers to compute with; ``auto``: those with 8 bits where the container has ranges."""


def uses_integers(graph: Graph, precision: str, path: str) -> bool:
    """Whether a precision means 8-bit integers for a graph.

    Raises
    ------
    InputError
        The precision is unknown, or needs ranges that the container, named by `path`, does not have.
    """
    if precision not in PRECISIONS:
        raise InputError("unknown precision", expected=", ".join(PRECISIONS), found=repr(precision))
    if precision == "u8" and graph.quantization is None:
        hint = "find them: dcz calibrate MODEL.dcz IMAGES -o OUT.dcz"
        raise InputError("the container has no ranges for 8-bit integers", path=path, hint=hint)
    return precision != "fp32" and graph.quantization is not None
