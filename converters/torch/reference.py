"""Reference answers: run a torch model of any element type, batch size and form of output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.fx.node import Argument, map_aggregate

from ...dcformat import ConversionError
from ...dcformat.tensors import Array


def ask(module: nn.Module, inputs: Array, batch: int | None = None) -> Array:
    """Run a module, in float32, or in float64 if it holds such tensors.

    Half-precision tensors are widened first. This is exact: the weights are the same, and only the rounding of half
    precision is gone.

    Parameters
    ----------
    module : nn.Module
        In eval mode. Its tensors are changed.
    inputs : ndarray of float32, shape ``(N, *input_shape)``
    batch : int, optional
        Fixed batch size of the module. The last batch is filled with copies of its last sample.

    Returns
    -------
    ndarray of float32 or float64, shape ``(N, *output_shape)``

    Raises
    ------
    ConversionError
        The module fails, or does not return one tensor.
    """
    size = batch or len(inputs)
    dtype = widen(module)
    answers = []
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        full = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        answers.append(_run(module, torch.from_numpy(full).to(dtype))[: len(part)])
    return np.concatenate(answers)


def _run(module: nn.Module, x: Tensor) -> Array:
    try:
        with torch.no_grad():
            answer = module(x)
    except Exception as error:  # the model's own code may raise anything
        text = str(error).strip() or type(error).__name__
        what = f"torch cannot run the model on an input of shape {list(x.shape)}: {text.splitlines()[0]}"
        raise ConversionError(what) from error
    found = list(_tensors_in(answer))
    if len(found) != 1:
        raise ConversionError("the model does not answer one tensor", expected=1, found=len(found))
    result: Array = found[0].numpy()
    return result


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
    if isinstance(module, fx.GraphModule):

        def named_type(item: Argument) -> Argument:
            return wide if isinstance(item, torch.dtype) and item.is_floating_point else item

        for node in module.graph.nodes:
            node.args = map_aggregate(node.args, named_type)
            node.kwargs = map_aggregate(node.kwargs, named_type)
        module.recompile()
    return wide


def _attributes(module: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Floating-point tensors that are neither parameters nor buffers, such as constants of exported programs."""
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, Tensor) and value.is_floating_point():
                yield part, name, value
