"""Comparison of a container with the model that it was made from: tensors and answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from ..core.difference import Answer, relative_error
from ..dcformat import Container, ConversionError, Dense, Graph, open
from ..dcformat.graph.ids import random_inputs
from ..dcformat.tensors import Array, bit_patterns
from .compression.apply import error_between
from .convert import load_source
from .frontends.inputs import InputShapes, as_asked, asked_inputs, check_asked
from .frontends.source import Source
from .torch.module import GraphModule
from .torch.reference import ask

SAMPLES = 2


@dataclass
class Comparison:
    """Differences between a container and a model.

    Attributes
    ----------
    tensors_equal : bool
        Whether the container holds all of the model's tensors, bit for bit.
    zero_signs : int
        Number of zeros that differ in sign, if nothing else differs. No problem: ``--positive-zeros`` causes it.
    max_output_error : float or None
        Largest difference between the runtime's and torch's answers on the same random inputs, relative to the largest
        magnitude that torch answers. None: the container holds no graph, or the model lacks its tensors.
    problems : list of str
        The differences, in words.
    """

    tensors_equal: bool = True
    zero_signs: int = 0
    max_output_error: float | None = None
    problems: list[str] = field(default_factory=list)


def compare(
    container: str | os.PathLike[str],
    model: nn.Module | str | os.PathLike[str],
    arch: str | None = None,
    *,
    input_shape: InputShapes | None = None,
    key: str | None = None,
    inputs: Array | Mapping[str, Array] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare a container with a model.

    Parameters
    ----------
    container : path
    model, arch, key
        As for `convert`. Without a known architecture, torch runs the container's graph with the model's tensors. If
        the container has no graph, only tensors are compared, and no architecture is needed.
    input_shape : as for `convert`, optional
        Shape of one sample; by default the container's, which it must agree with.
    inputs : ndarray of float32, shape ``(N, *input_shape)``, or dict of them by name, optional
        Input of both; by default standard normal noise, and integers that the network takes.
    seed : int
        Seed of the noise.

    Raises
    ------
    ConversionError
        The model cannot be read or run, or takes another input shape.
    FormatError
        The container is damaged.
    """
    result = Comparison()
    with open(container) as opened:
        graph = opened.graph
        if graph is None:
            source = load_source(model, input_shape=input_shape, key=key, graph=False)
        else:
            _check_shape(opened, graph, input_shape)
            source = load_source(model, arch=arch, input_shape=as_asked(graph), key=key)
            shapes = {name: opened.entries[name].shape for name in graph.tensor_names()}
        _compare_tensors(opened, source, result)
    if graph is not None and source.tensors.keys() >= set(graph.tensor_names()):
        given = _by_input(graph, inputs) if inputs is not None else random_inputs(graph, shapes, SAMPLES, seed)
        module = source.reference() if source.reference else GraphModule(graph, source.tensors)
        try:
            expected = _named(graph, ask(module, given, source.batch))
        except ConversionError as error:
            if isinstance(model, nn.Module):
                raise
            raise error.at(model) from error.__cause__
        result.max_output_error = relative_error(_runtime_answer(container, given), expected)
    return result


def _check_shape(container: Container, graph: Graph, given: InputShapes | None) -> None:
    if given is None:
        return
    try:
        check_asked(graph, asked_inputs(given), "the container")
    except ConversionError as error:
        raise error.at(container.path) from None


def _by_input(graph: Graph, inputs: Array | Mapping[str, Array]) -> list[Array]:
    return [inputs[given.name] for given in graph.inputs] if isinstance(inputs, Mapping) else [inputs]


def _named(graph: Graph, answers: list[Array]) -> Answer:
    """The model's answers as the runtime gives them: an array, or several by name."""
    if len(answers) != len(graph.outputs):
        what = "the model answers another number of tensors"
        raise ConversionError(what, expected=len(graph.outputs), found=len(answers))
    shaped = (answer[:, None] if answer.ndim == 1 else answer for answer in answers)  # one number a sample
    named = {output.name: answer for output, answer in zip(graph.outputs, shaped, strict=True)}
    return named if len(answers) > 1 else named[graph.outputs[0].name]


def _compare_tensors(container: Container, source: Source, result: Comparison) -> None:
    if source.lost:
        result.tensors_equal = False
        result.problems.append(f"{source.what_is_lost()} cannot be in a container")
    for name, expected in source.tensors.items():
        entry = container.entries.get(container.tied.get(name, name))
        if entry is None:
            problem = "is missing from the container"
        elif (entry.shape, entry.dtype) != (expected.shape, expected.dtype):
            problem = f"is {entry.dtype} {list(entry.shape)}, in the model {expected.dtype} {list(expected.shape)}"
        else:
            found = Dense(container.tensor(name), entry.dtype)
            if found.array.tobytes() == expected.array.tobytes():
                continue
            if signs := _zero_signs(expected, found):
                result.zero_signs += signs
                result.tensors_equal = False
                continue
            error = error_between(expected, found)
            problem = f"differs by up to {error.max_error:g}, {error.rms_error:.3g} rms"
        result.tensors_equal = False
        result.problems.append(f"tensor {name!r} {problem}")


def _zero_signs(expected: Dense, found: Dense) -> int:
    """Number of zeros that differ in sign, if two tensors differ in nothing else; otherwise 0."""
    differ = bit_patterns(expected.array) != bit_patterns(found.array)
    zero = (expected.numbers() == 0) & (found.numbers() == 0)
    return int(differ.sum()) if zero.reshape(-1)[differ].all() else 0


def _runtime_answer(container: str | os.PathLike[str], inputs: Sequence[Array]) -> Answer:
    from ..runtime import load  # converters need the runtime only to check their result

    answer: Answer = load(container)(*inputs)
    return answer
