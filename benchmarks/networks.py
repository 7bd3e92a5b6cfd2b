"""The networks of the benchmarks as containers: trained weights if available, else generated ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .suite import Options
from .weights import NETWORKS, SEED, Network, state_dict

QUICK = ("lenet-300-100", "lenet-5", "resnet-20", "vgg16-half", "squeezenet")


@dataclass(frozen=True)
class Container:
    """A network to measure; `weights` is the origin of its weights."""

    name: str
    title: str
    path: Path
    weights: str

    def batch(self, size: int) -> NDArray[np.float32]:
        """Random input of the network's input shape."""
        import dcz

        with dcz.open(self.path) as container:
            assert container.graph is not None
            shape = size, *container.graph.input_shape
        return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def container(name: str, options: Options) -> Container:
    """Find or make the container of a network, preferably a trained one."""
    return trained(name, options) or untrained(name, options)


def trained(name: str, options: Options) -> Container | None:
    """The container of ``options.models`` that is named after a network."""
    for path in sorted(options.models.glob("*.dcz")):
        if network_of(path.stem) == name:
            return Container(name, f"{NETWORKS[name].title}, trained", path, path.name)
    return None


def untrained(name: str, options: Options) -> Container:
    """Weights generated at the published densities, or SqueezeNet as published; kept in the work folder."""
    title = NETWORKS[name].title
    options.work.mkdir(parents=True, exist_ok=True)
    if name == "squeezenet" and options.squeezenet is not None:
        import dcz

        path = options.work / "squeezenet-published.dcz"
        if not newer(path, options.squeezenet):
            dcz.convert(options.squeezenet, path)
        return Container(name, title, path, "published by S. Han")
    path = options.work / f"{name}-{SEED}.dcz"
    if not path.exists():
        write_container(NETWORKS[name], state_dict(NETWORKS[name]), path)
    return Container(name, title, path, "generated")


def write_container(network: Network, tensors: Mapping[str, NDArray[Any]], path: Path, codec: str = "default") -> None:
    """Convert a network's tensors, as a module of its architecture."""
    import torch

    import dcz
    from dcz.converters.architectures import ARCHITECTURES

    architecture = ARCHITECTURES[network.arch]
    with torch.device("meta"):
        module = architecture.factory()
    module.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, assign=True)
    dcz.convert(module.eval(), path, input_shape=architecture.input_shape, codec=codec)


def newer(made: Path, source: Path) -> bool:
    """Whether a file is there and was made after its source."""
    return made.exists() and made.stat().st_mtime > source.stat().st_mtime


def network_of(stem: str) -> str:
    """The network that a file is named after: vgg16_half is VGG16-half, not VGG-16."""
    fitting = (name for name in NETWORKS if _letters(stem).startswith(_letters(name)))
    return max(fitting, key=len, default="")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
