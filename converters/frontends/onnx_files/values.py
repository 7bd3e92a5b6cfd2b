"""Values of an ONNX graph while it runs in torch: activations, and constants, which are computed only when asked for.

A constant is wanted in one of two forms. As numbers (sizes, axes, scales) it is computed at once, in NumPy. As a tensor
that meets an activation it becomes part of the program, where weights keep their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from onnx import NodeProto, helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from ....dcformat.tensors import Array

if TYPE_CHECKING:
    from .step import Step

SMALL_TYPES = (np.int64, np.int32, np.bool_)
"""Types of sizes and indices; a tensor of another type with more than one number is a weight."""


class Values:
    """Values by name.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The graph's constants.
    tensors : mapping of str to Tensor
        The same constants as parts of the program, where torch has their type; and the inputs.
    opset : int
    """

    def __init__(self, arrays: Mapping[str, Array], tensors: Mapping[str, Tensor], opset: int) -> None:
        self.opset = opset
        self._numbers = dict(arrays)
        self._tensors = dict(tensors)
        self._steps: dict[str, Step] = {}
        self._other_names: dict[str, str] = {}
        self._weights = {name for name, array in arrays.items() if array.size > 1 and array.dtype not in SMALL_TYPES}

    def is_constant(self, name: str) -> bool:
        """Whether a value does not depend on the input."""
        name = self._own(name)
        return name in self._numbers or name in self._steps

    def defer(self, step: Step) -> None:
        """Keep a step whose inputs are constants until a value of its is asked for."""
        self._steps |= dict.fromkeys(step.outputs, step)
        if not self._weights.isdisjoint(map(self._own, step.inputs)):
            self._weights.update(step.outputs)

    def put(self, name: str, value: Tensor | Array) -> None:
        """Keep what a step made: numbers, or an activation."""
        if isinstance(value, Tensor):
            self._tensors[name] = value
        else:
            self._numbers[name] = value

    def alias(self, name: str, other: str) -> None:
        """Give a value a second name."""
        self._other_names[name] = self._own(other)

    def _own(self, name: str) -> str:
        return self._other_names.get(name, name)

    def numbers(self, name: str) -> Array:
        """A constant as an array."""
        name = self._own(name)
        if name not in self._numbers:
            step = self._steps[name]
            made = evaluate(step.proto, self.opset, {source: self.numbers(source) for source in step.inputs})
            self._numbers |= dict(zip(step.outputs, made, strict=True))
        return self._numbers[name]

    def tensor(self, name: str) -> Tensor:
        """A value as a tensor of the program."""
        name = self._own(name)
        if name not in self._tensors:
            step = self._steps.get(name)
            if step is not None and step.is_known and name in self._weights:
                made = step(self)
                for output, value in made.items() if isinstance(made, dict) else ():
                    self.put(output, value)
            if name not in self._tensors:
                self._tensors[name] = torch.from_numpy(np.array(self.numbers(name)))
        return self._tensors[name]


def evaluate(node: NodeProto, opset: int, inputs: Mapping[str, Array]) -> list[Array]:
    """Run one node by onnx's reference implementation.

    Parameters
    ----------
    node : NodeProto
    opset : int
    inputs : mapping of str to ndarray
        By the names in the node.
    """
    if node.op_type == "GatherElements":
        return [_gather_elements(node, *(inputs[name] for name in node.input))]
    ends = [
        [helper.make_empty_tensor_value_info(name) for name in names] for names in (inputs, filter(None, node.output))
    ]
    graph = helper.make_graph([node], "constant", *ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return list(ReferenceEvaluator(model).run(None, dict(inputs)))


def _gather_elements(node: NodeProto, data: Array, index: Array) -> Array:
    """As onnx defines it: its own evaluator fails along an axis of 64 elements or more (onnx 1.23.2)."""
    axis = next((item.i for item in node.attribute if item.name == "axis"), 0) % data.ndim
    here = data[tuple(slice(None if dim == axis else size) for dim, size in enumerate(index.shape))]
    found: Array = np.take_along_axis(here, index, axis)
    return found
