"""A container, to be written anew with another codec, or compressed further."""

from __future__ import annotations

from pathlib import Path

from ...dcformat import Dense, open
from .source import Source


def from_container(path: Path) -> Source:
    """Read all of a container: tensors, graph, preprocessing, labels and metadata.

    Raises
    ------
    FormatError
        The container is damaged.
    """
    with open(path) as container:
        tensors = {name: Dense(container.tensor(name), entry.dtype) for name, entry in container.entries.items()}
        tensors |= {name: tensors[stored] for name, stored in container.tied.items()}
        return Source(
            tensors,
            container.graph,
            container.preprocess,
            container.labels,
            metadata=dict(container.metadata),
        )
