"""Slices: a batch is cut into parts of a few sizes, each with a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

LANES = 16
"""Lanes of float32 of a vector; in the plans of slices of that size, each is a sample."""
SLICES = (LANES, 4, 1)
"""Batch sizes with a plan: a batch is cut into slices of these sizes. The samples of the first are vector lanes."""
ARENA_LIMIT = 1 << 25
"""Greatest size in bytes of the activations of a slice of several samples: more would not fit the cache."""


def sizes_of(arena_bytes: int, alone: bool) -> list[int]:
    """The sizes of slices that a network is run in, the greatest first.

    Parameters
    ----------
    arena_bytes : int
        Of a sample.
    alone : bool
        Whether samples run one by one.
    """
    return [size for size in SLICES if size == 1 or (not alone and size * arena_bytes <= ARENA_LIMIT)]


def slices(samples: int, threads: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut a batch into slices, (start, size), as large as the number of threads lets them be.

    Parameters
    ----------
    samples, threads : int
    sizes : sequence of int
        Those that the network is run in, the greatest first; the last is 1.
    """
    start = 0
    for size in sizes:
        if size < LANES and size > max(1, samples // threads):
            continue
        while samples - start >= size:
            yield start, size
            start += size
