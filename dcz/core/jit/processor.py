"""The processor that code is compiled for: this machine's, or another that an object file is made for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

EXTENSIONS = ("avx2", "avx512bw", "avx512vnni")
"""Extensions of x86, each with those before it and with AVX-512 VL."""


class Processor(NamedTuple):
    """A processor as LLVM names it.

    Attributes
    ----------
    triple : str
        Architecture, vendor and system, e.g. ``aarch64-unknown-linux-gnu``.
    cpu : str
    features : str
        LLVM's list, e.g. ``+neon``.
    fuses : bool
        Whether an instruction gives ``a * b + c``, rounded once. Elsewhere LLVM would call a function for each lane.
    bits : int
        Of an address.
    extensions : tuple of str
        Of `EXTENSIONS`, those that it has: kernels name instructions of them.
    """

    triple: str
    cpu: str
    features: str
    fuses: bool = True
    bits: int = 64
    extensions: tuple[str, ...] = ()


_in_work: list[Processor] = []


def current() -> Processor | None:
    """The processor that is compiled for; None for this machine's."""
    return _in_work[-1] if _in_work else None


@contextmanager
def compiling_for(processor: Processor) -> Iterator[None]:
    """Within the context, kernels are compiled for a processor. The caller holds the compiler's lock."""
    _in_work.append(processor)
    try:
        yield
    finally:
        _in_work.pop()
