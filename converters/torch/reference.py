"""Reference answers: run a torch model of any element type, batch size and form of output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.fx.node import Argument, map_aggregate

from ...dcformat import ConversionError
from ...dcformat.tensors import Array


def ask(module: nn.Module, inputs: Sequence[Array], batch: int | None = None) -> list[Array]:
    """Run a module, in float32, or in float64 if it holds such tensors.

    Half-precision tensors are widened first. This is exact: the weights are the same, and only the rounding of half
    precision is gone.

    Parameters
    ----------
    module : nn.Module
        In eval mode. Its tensors are changed.
    inputs : sequence of ndarray of float32 or int64, each of shape ``(N, *input_shape)``
        The arguments of its forward.
    batch : int, optional
        Fixed batch size of the module. The last batch is filled with copies of its last sample.

    Returns
    -------
    list of ndarray of float32 or float64, each of shape ``(N, *output_shape)``
        The tensors of its answer, in the order in which they stand in it.

    Raises
    ------
    ConversionError
        The module fails.
    """
    samples = len(inputs[0])
    size = batch or samples
    dtype = widen(module)
    answers = []
    for start in range(0, samples, size):
        parts = [_filled(array[start : start + size], size) for array in inputs]
        tensors = [torch.from_numpy(part) for part in parts]
        answer = _run(module, [tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in tensors])
        answers.append([array[: samples - start] for array in answer])
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _filled(part: Array, size: int) -> Array:
    return np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])


def _run(module: nn.Module, x: Sequence[Tensor]) -> list[Array]:
    try:
        with torch.no_grad():
            answer = module(*x)
    except Exception as error:  # the model's own code may raise anything
        text = str(error).strip() or type(error).__name__
        shapes = " and ".join(str(list(tensor.shape)) for tensor in x)
        what = f"torch cannot run the model on an input of shape {shapes}: {text.splitlines()[0]}"
        raise ConversionError(what) from error
    return [tensor.numpy() for tensor in _tensors_in(answer)]


def _tensors_in(answer: object) -> Iterator[Tensor]:
    """The tensors of an output: a tensor, a dict (segmentation networks), or a tuple that may hold None."""
    if isinstance(answer, Tensor):
        yield answer
    elif isinstance(answer, Mapping):
        for item in answer.values():
            yield from _tensors_in(item)
    elif isinstance(answer, list | tuple):
        for item in answer:
            yield from _tensors_in(item)


def widen(module: nn.Module) -> torch.dtype:
    """Convert all floating-point tensors of a module to float32, or float64 if there is one, on the CPU; return the
    type.

    This covers parameters, buffers, plain attributes, and element types in the code of an exported program.
    """
    held = [*module.parameters(), *module.buffers(), *(value for *_, value in _attributes(module))]
    wide = torch.float64 if any(tensor.dtype == torch.float64 for tensor in held) else torch.float32
    module.to(device="cpu", dtype=wide)
    for part, name, value in _attributes(module):
        setattr(part, name, value.to(device="cpu", dtype=wide))

    def named_type(item: Argument) -> Argument:
        return wide if isinstance(item, torch.dtype) and item.is_floating_point else item

    for part in module.modules():
        if isinstance(part, fx.GraphModule):
            for node in part.graph.nodes:
                node.args = map_aggregate(node.args, named_type)
                node.kwargs = map_aggregate(node.kwargs, named_type)
            part.recompile()
    return wide


def _attributes(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Floating-point tensors that are neither parameters nor buffers, such as constants of exported programs."""
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, Tensor) and value.is_floating_point():
                yield part, name, value
