"""Small networks to capture, and the question whether a graph answers as its network does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.frontends.source import Source
from dcz.converters.torch.module import GraphModule

IMAGE = (4, 9, 11)
LINE = (4, 13)


class Call(nn.Module):
    """A function as a module, with some layers for it to use."""

    def __init__(self, function: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleDict(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers.values())


def randomise(module: nn.Module) -> nn.Module:
    """Give a module weights that do not let a mistake go unseen; in eval mode."""
    generator = torch.Generator().manual_seed(0)
    for name, value in module.state_dict().items():
        if name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(generator=generator)
    return module.eval()


def noise(samples: int, shape: tuple[int, ...]) -> Tensor:
    """Inputs from below zero to above six."""
    return torch.randn(samples, *shape, generator=torch.Generator().manual_seed(1)) * 3


def captured(module: nn.Module, shape: tuple[int, ...] = IMAGE, samples: int = 3) -> Source:
    """Capture a module, and check that its graph answers as it does."""
    x = noise(samples, shape).to(next((p.dtype for p in module.parameters()), torch.float32))
    expected = module(x.clone())
    source = from_module(module, shape)
    assert source.graph is not None
    torch.testing.assert_close(
        GraphModule(source.graph, source.tensors)(x.float()), expected.float(), rtol=1e-5, atol=1e-5
    )
    return source


def ops(source: Source) -> list[str]:
    """Names of the operators of a source's graph."""
    assert source.graph is not None
    return [node.op for node in source.graph.nodes]
