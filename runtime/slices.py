"""Slices: a batch is cut into parts of a few sizes, each with a plan."""

from __future__ import annotations

from collections.abc import Iterator

LANES = 16
"""Lanes of float32 of a vector; in the plans of slices of that size, each is a sample."""
SLICES = (LANES, 4, 1)
"""Batch sizes with a plan: a batch is cut into slices of these sizes. The samples of the first are vector lanes."""
ARENA_LIMIT = 1 << 25
"""Greatest size in bytes of the activations of a slice of several samples: more would not fit the cache."""


def sizes(arena_bytes: int) -> list[int]:
    """The sizes of slices that a network is run in, the greatest first.

    Parameters
    ----------
    arena_bytes : int
        Of a sample.
    """
    return [size for size in SLICES if size == 1 or size * arena_bytes <= ARENA_LIMIT]


def slices(samples: int, threads: int, arena_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut a batch into slices, (start, size), sized by memory and the number of threads.

    Parameters
    ----------
    samples, threads : int
    arena_bytes : int
        Of a sample.
    """
    start = 0
    for size in sizes(arena_bytes):
        if size < LANES and size > max(1, samples // threads):
            continue
        while samples - start >= size:
            yield start, size
            start += size
