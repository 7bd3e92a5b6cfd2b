"""Latency of networks that people compare by, dense and pruned to a fifth of their weights, beside other engines.

Their libraries are installed into the zoo's environment, where ``python -m benchmarks.questions.mobile NAME FORM PATH``
makes a container. Weights are random, and so accuracy says nothing; statistics of batch normalisations are those of
noise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..networks import Container
from ..peers import ZOO as TOOL
from ..peers import install
from ..suite import Benchmark, Options, Row
from . import latency
from .zoo.networks import Network

if TYPE_CHECKING:
    from torch import nn

TITLES = {
    "tv:mobilenet_v2": "MobileNetV2",
    "timm:efficientnet_lite0": "EfficientNet-Lite0",
    "timm:mobilenetv3_large_100": "MobileNetV3-Large",
    "timm:efficientnet_b0": "EfficientNet-B0",
    "tv:resnet50": "ResNet-50",
    "timm:vit_tiny_patch16_224": "ViT-tiny",
}
"""As the zoo names networks: the library, and the name there."""
SHAPE = 3, 224, 224
"""Of one sample."""
FORMS: Mapping[str, Mapping[str, Any]] = {"dense": {}, "pruned": {"prune": "percent:80", "bits": 5}}
"""Options of their conversion."""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    """One case for each form of a network."""
    names = [name for name in options.networks if name in TITLES] or list(TITLES)
    return {
        f"{name} {form}": partial(latency.measure, partial(container, form), name, 1, options)
        for name in names
        for form in FORMS
    }


def container(form: str, name: str, options: Options) -> Container:
    """The container of a network; kept in the work folder."""
    path = options.work / f"{name.replace(':', '-')}-{form}.dcz"
    if not path.exists():
        options.work.mkdir(parents=True, exist_ok=True)
        python = TOOL.python(options.peers)
        if not python.exists():
            install(TOOL.name, options.peers)
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        command = [str(python), "-m", "benchmarks.questions.mobile", name, form, str(path.absolute())]
        subprocess.run(command, env=environment, check=True)
    return Container(name, f"{TITLES[name]}, {form}", path, "random")


def with_statistics(module: nn.Module, shape: tuple[int, ...], samples: int = 4) -> nn.Module:
    """Set the statistics of all batch normalisations to those of noise, so that activations keep their scale.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    shape : tuple of int
        Of one sample.
    samples : int

    Returns
    -------
    torch.nn.Module
        `module`, in eval mode.
    """
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    noise = np.random.default_rng(0).standard_normal((samples, *shape), dtype=np.float32)
    with torch.no_grad():
        module.train()(torch.from_numpy(noise))
    return module.eval()


def main(name: str, form: str, path: Path) -> None:
    """Write the container of a network."""
    import dcz

    module = with_statistics(Network(name, "", "x".join(map(str, SHAPE))).build(), SHAPE)
    dcz.convert(module, path, input_shape=SHAPE, **FORMS[form])


BENCHMARK = Benchmark("mobile", "How long do mobile networks and others take, dense and pruned?", cases, latency.tables)

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
