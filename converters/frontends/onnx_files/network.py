"""An ONNX graph as a torch module, for `torch.export` to trace."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from typing import NamedTuple, cast

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto
from torch import Tensor, fx, nn

from ....dcformat import Dense, Shape, UnsupportedOpError
from ....dcformat.tensors import Array
from ..arrays import to_torch
from ..exported.refusals import renamed
from .branches import branches
from .operators import TRANSLATIONS
from .placeholder import refused
from .step import NOT_KNOWN, Step, name_of, refusal
from .values import Values

BY_CHANCE = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")
"""Operators that give something else at each run, constant inputs or not."""
CONSTANT, SIZES = "Constant", ("Shape", "Size")


class _Part(NamedTuple):
    """The steps of a graph by number, and the names of what it answers with."""

    steps: list[int]
    outputs: list[str]


class Network(nn.Module):
    """Runs the nodes of a graph one by one; of an If whose condition is a constant those of one branch.

    Parameters
    ----------
    model : ModelProto
        Without functions, and `branches.lifted`; the values of its Constant nodes stand among `tensors`.
    tensors : mapping of str to Dense
        Its constants.
    opset : int
        Version of the operator set.

    Attributes
    ----------
    names : dict of str to str
        Name of each constant in the graph, by its name among the module's buffers.
    refused : dict of int to UnsupportedOpError
        The steps that the last run could not do, by number. A `placeholder` stands for each. If nothing is known of
        what one makes, it is raised.
    """

    def __init__(self, model: ModelProto, tensors: Mapping[str, Dense], opset: int) -> None:
        super().__init__()
        graph = model.graph
        self.names: dict[str, str] = {}
        self.refused = UserDict[int, UnsupportedOpError]()  # torch.export resets a plain dict
        self._model, self._opset = model, opset
        self._arrays: dict[str, Array] = {name: tensor.numbers() for name, tensor in tensors.items()}
        for i, (name, tensor) in enumerate(tensors.items()):
            self.register_buffer(f"tensor_{i}", to_torch(tensor))
            self.names[f"tensor_{i}"] = name
        self._inputs = [value.name for value in graph.input if value.name not in tensors]
        self.steps = nn.ModuleList()
        self._choices: dict[int, dict[bool, _Part]] = {}
        self._main = self._part(graph)

    def _part(self, graph: GraphProto) -> _Part:
        """Append the steps of a graph, and behind each If those of its branches."""
        numbers = []
        for node in graph.node:
            if node.op_type != CONSTANT:
                numbers.append(len(self.steps))
                self.steps.append(_step(node))
                self._choices[numbers[-1]] = {truth: self._part(branch) for truth, branch in branches(node).items()}
        return _Part(numbers, [value.name for value in graph.output])

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map a batch for each input to what the graph answers."""
        given = dict(zip(self._inputs, inputs, strict=True))
        tensors = {name: getattr(self, attribute) for attribute, name in self.names.items()}
        values = Values(self._arrays, tensors | given, self._opset)
        self.refused.clear()
        self._run(self._main, values, given)
        answers = tuple(values.tensor(name) for name in self._main.outputs)
        return answers if len(answers) > 1 else answers[0]

    def _run(self, part: _Part, values: Values, given: Mapping[str, Tensor]) -> None:
        steps = self._steps()
        for index in part.steps:
            step, choice = steps[index], self._choices[index]
            known = all(map(values.is_constant, step.inputs))
            if choice and known:
                taken = choice[bool(values.numbers(step.inputs[0]))]
                self._run(taken, values, given)
                for name, inner in zip(step.proto.output, taken.outputs, strict=True):
                    values.alias(name, inner)
            elif known and step.proto.op_type not in BY_CHANCE:
                values.defer(step)
            else:
                made = step(values)
                if isinstance(made, UnsupportedOpError):
                    self.refused[index] = made
                    made = self._assumed(index, values, given)
                for name, value in made.items():
                    values.put(name, value)

    def _steps(self) -> list[Step]:
        return [step for step in self.steps if isinstance(step, Step)]

    def _assumed(self, index: int, values: Values, given: Mapping[str, Tensor]) -> dict[str, Tensor | Array]:
        """Placeholders for what a refused step makes.

        Raises
        ------
        UnsupportedOpError
            Nothing is known of that; then the steps behind it are in `refused` that have no translation.
        """
        shapes = infer_shapes(self._model, {name: tuple(x.shape) for name, x in given.items()})
        steps = self._steps()
        step = steps[index]
        if not shapes.keys() >= set(step.outputs):
            self._refuse_unknown_behind(index, values)
            raise self.refused[index]
        self.refused[index].shape = shapes[step.outputs[0]][1:]
        read = next((name for name in step.inputs if not values.is_constant(name)), next(iter(given)))
        return {name: refused(values.tensor(read), list(shapes[name]), index) for name in step.outputs}

    def _refuse_unknown_behind(self, index: int, values: Values) -> None:
        """Refuse the steps behind one that have no translation, but for those that are computed at conversion."""
        constants: set[str] = set()
        steps = self._steps()
        for i in (number for number in self._main.steps if number > index):
            step = steps[i]
            known = all(name in constants or values.is_constant(name) for name in step.inputs)
            if known or step.proto.op_type in SIZES:
                constants.update(step.outputs)
            elif not step.is_known:
                self.refused[i] = refusal(step.proto, NOT_KNOWN)

    def explain(self, node: fx.Node, error: UnsupportedOpError) -> UnsupportedOpError:
        """The refusal of a node of the program, in terms of the ONNX node that it comes from."""
        if node.target == torch.ops.dcz.refused.default:
            cause = self.refused[cast(int, node.args[2])]
            return renamed(cause, cause.op, cause.node or "", cause.shape)
        paths = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path]
        step = self.get_submodule(paths[-1]) if paths else None
        return renamed(error, step.proto.op_type, name_of(step.proto), error.shape) if isinstance(step, Step) else error


def infer_shapes(model: ModelProto, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of a model's values by onnx, of those where it finds one.

    Parameters
    ----------
    model : ModelProto
    inputs : mapping of str to tuple of int
        Shape of each input, with the batch axis.
    """
    fixed = ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, inputs.get(value.name, ()), strict=False):
            dim.dim_value = size
    try:
        graph = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    except (ValueError, onnx.shape_inference.InferenceError):  # it is larger than a protobuf, or contradicts itself
        return {}
    found = {value.name: value.type.tensor_type.shape.dim for value in (*graph.value_info, *graph.output)}
    shapes = {name: tuple(dim.dim_value for dim in dims) for name, dims in found.items()}
    return {name: shape for name, shape in shapes.items() if shape and min(shape) > 0}


def _step(node: NodeProto) -> Step:
    return Step(node, TRANSLATIONS.get(node.op_type) if node.domain in ("", "ai.onnx") else None)
