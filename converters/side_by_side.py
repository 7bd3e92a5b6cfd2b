"""Work on several tensors at a time: on threads, since NumPy and kernels release the GIL, within a bound on memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

AT_A_TIME = 1 << 24
"""Bytes of the tensors that are worked on at a time. A larger one is alone."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Map(Protocol):
    """The results of a function, in the order of the items; the first error is raised."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Call the function for each item."""


@contextmanager
def mapping(threads: int) -> Iterator[Map]:
    """A `Map` on threads; one item alone is worked on in this one."""
    with ThreadPoolExecutor(threads) as pool:

        def on_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
            given = list(items)
            return list((map if len(given) == 1 else pool.map)(function, given))

        yield on_threads


def groups(sizes: Mapping[str, int], threads: int) -> Iterator[list[str]]:
    """Names of tensors to work on at a time.

    The smallest come first, and the largest last, when memory holds no others.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each tensor.
    threads : int
        With one thread each is alone.
    """
    group: list[str] = []
    total = 0
    for name in sorted(sizes, key=sizes.__getitem__):
        if group and (threads == 1 or total + sizes[name] > AT_A_TIME):
            yield group
            group, total = [], 0
        group.append(name)
        total += sizes[name]
    if group:
        yield group
