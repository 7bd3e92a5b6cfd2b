"""From a module or an exported program to a graph, and to the tensors that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from ....core.errors import quoted
from ....dcformat import ConversionError, Graph, UnsupportedOpError
from ..arrays import from_torch
from ..inputs import InputShapes, asked_inputs
from ..source import Source
from .constants import Constants
from .decomposing import decomposed
from .ends import described, inputs_of, outputs_of
from .fills import free_fills
from .fold import fold
from .fx_builder import FxBuilder, meta
from .lowering import lower, rewrite
from .parts import free_parts
from .place import size_of
from .refusals import as_one
from .tracing import quiet, trace
from .values import KNOWN

Explain = Callable[[fx.Node, UnsupportedOpError], UnsupportedOpError]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Capture:
    """A network's graph, and what it takes to give it its tensors.

    Attributes
    ----------
    graph : Graph
        In the network's own names.
    constants : Constants
        The tensors that are computed from others.
    program : ExportedProgram
    messages : list of str
        What the user should know.
    """

    graph: Graph
    constants: Constants
    program: ExportedProgram
    messages: list[str] = field(default_factory=list)

    def give(self, source: Source, state: Mapping[str, Tensor], names: Mapping[str, str] | None = None) -> None:
        """Give a source this graph, and the tensors that it lacks for it.

        A tensor that is computed takes the place of those that it is computed from, if nothing else uses them.

        Parameters
        ----------
        source : Source
            With the tensors of the state dict.
        state : mapping of str to Tensor
            The state dict, in the network's own names.
        names : mapping of str to str, optional
            The source's names of these tensors, where they are others.

        Raises
        ------
        ConversionError
            A tensor cannot be computed, or not be stored.
        """
        names = dict(names or {})
        tensors = {**self.program.constants, **state}
        computed = {}
        with quiet():
            values = list(fold(self.constants, tensors))
        for folded, value in values:
            if folded.sources:
                names.setdefault(folded.name, _prefix(names, folded.sources[0]) + folded.name)
            name = names.get(folded.name, folded.name)
            computed[name] = from_torch(name, value)
        used = self.graph.tensor_names()
        sources = [name for folded in self.constants.folded.values() for name in folded.sources]
        unused = [names.get(name, name) for name in dict.fromkeys(sources) if name not in used]
        replaced = [name for name in unused if source.tensors.pop(name, None) is not None]
        source.tensors |= computed
        for own in used:
            if (name := names.get(own, own)) not in source.tensors:
                source.tensors[name] = from_torch(name, self.program.constants[own])
        source.graph = self.graph.renamed(names)
        source.messages += self.messages
        if computed:
            instead = f" in place of {quoted(replaced)}" if replaced else ""
            source.messages.append(f"stored as the network computes them: {quoted(computed)}{instead}")


def _prefix(names: Mapping[str, str], own: str) -> str:
    """What a checkpoint puts before a network's own name."""
    name = names.get(own, own)
    return name.removesuffix(own) if name.endswith(own) else ""


def capture(module: nn.Module, input_shape: InputShapes) -> Capture:
    """Trace a module in eval mode, and lower what it did. Modules on the ``meta`` device will do.

    Raises
    ------
    ConversionError
        torch cannot trace it.
    UnsupportedOpError
        It uses operators that dcz does not have.
    """
    program, inputs, messages = trace(module, asked_inputs(input_shape))
    captured = lower_program(program, inputs=inputs)
    return replace(captured, messages=[*messages, *captured.messages])


def lower_program(
    program: ExportedProgram,
    names: Mapping[str, str] | None = None,
    explain: Explain | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> Capture:
    """Lower an exported program, operator by operator. The program stays as it is.

    Parameters
    ----------
    program : ExportedProgram
    names : mapping of str to str, optional
        Other names for tensors of the program, by which the graph is to know them.
    explain : callable, optional
        Says the refusal of a node in terms of the file that the program was made from.
    inputs, outputs : sequence of str, optional
        What they are called in the graph. By default one alone has no name; several have the names of forward's
        arguments, and of the answer's keys.

    Raises
    ------
    ConversionError
        No input or output tensor, or sizes that are not static.
    UnsupportedOpError
        Operators that dcz does not have: the message names all.
    """
    program, graph = decomposed(program)
    _check_state(program)
    user_inputs, user_outputs = inputs_of(program), outputs_of(program)
    nodes = dict(zip((node.name for node in program.graph.nodes), graph.nodes, strict=True))  # copies may be renamed
    free_fills(graph)
    free_parts(graph)
    _fix_sizes(graph)
    names = names or {}
    tensors = {nodes[placeholder]: names.get(name, name) for placeholder, name in _tensor_names(program).items()}
    for placeholder, numbers in _numbers(program).items():
        nodes[placeholder].meta[KNOWN] = numbers
    constants = Constants(graph, tensors, reserved=(*program.state_dict, *program.constants))
    rewrite(graph, constants.nodes)
    batch = nodes[user_inputs[0]].meta["val"].shape[0]
    stored = {names.get(name, name): tensor for name, tensor in {**program.state_dict, **program.constants}.items()}
    builder = FxBuilder(described(user_inputs, nodes, inputs), batch, constants, stored)
    for name, value in zip(user_inputs, builder.inputs, strict=True):
        builder.values[nodes[name]] = value
    _lower_nodes(builder, graph, explain)
    answers = {name: nodes[node] for name, node in zip(outputs or user_outputs, user_outputs.values(), strict=True)}
    try:
        return Capture(builder.finish(answers), constants, program, _about_answers(answers))
    except UnsupportedOpError as error:
        if explain is None or builder.node is None:
            raise
        raise explain(builder.node, error) from None


def batch_size(program: ExportedProgram) -> int | None:
    """The batch that a program was exported for, or the least that it takes; None if it takes any."""
    name = inputs_of(program)[0]
    batch = next(node.meta["val"].shape[0] for node in program.graph.nodes if node.name == name)
    if isinstance(batch, int):
        return batch
    limits = program.range_constraints.get(batch.node.expr)
    return int(limits.lower) if limits is not None and limits.lower > 1 else None


def _about_answers(answers: Mapping[str, fx.Node]) -> list[str]:
    numbers = [name for name, node in answers.items() if node.meta["val"].dim() == 1]
    return [f"one number a sample, answered in the shape [N, 1]: {quoted(numbers)}"] if numbers else []


def _lower_nodes(builder: FxBuilder, graph: fx.Graph, explain: Explain | None) -> None:
    """Lower all nodes; what nothing reads may be what dcz does not have."""
    needed: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node.op == "output" or node in needed:
            needed.update(node.all_input_nodes)
    missing = []
    for node in graph.nodes:
        if node.op != "call_function" or node in builder.constants:
            continue
        try:
            lower(builder, node)
        except UnsupportedOpError as error:
            if node in needed:
                missing.append(explain(node, error) if explain else error)
                builder.assume(node)
    if missing:
        raise as_one(missing)


def _tensor_names(program: ExportedProgram) -> dict[str, str]:
    """Name of the tensor behind each placeholder that is no input of the user's."""
    kinds = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
    specs = program.graph_signature.input_specs
    return {s.arg.name: s.target for s in specs if s.kind in kinds and s.target is not None}


def _numbers(program: ExportedProgram) -> dict[str, torch.Tensor]:
    """By placeholder the tensors that forward makes out of numbers."""
    specs = program.graph_signature.input_specs
    found = {s.arg.name: program.constants.get(s.target or "") for s in specs if s.kind == InputKind.CONSTANT_TENSOR}
    return {name: tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor) and not tensor.is_meta}


def _fix_sizes(graph: fx.Graph) -> None:
    """Give numbers in place of sizes that depend on the batch, so that a class token for each sample is a constant."""
    for node in graph.nodes:
        if isinstance(meta(node), torch.SymInt):
            _put_number(node, size_of(meta(node)))


def _put_number(node: fx.Node, number: int) -> None:
    """Put a number in all places where a node is read."""

    def put(each: fx.Node) -> fx.node.Argument:
        return number if each is node else each

    for user in list(node.users):
        user.args, user.kwargs = fx.node.map_arg((user.args, user.kwargs), put)


def _check_state(program: ExportedProgram) -> None:
    changed = list(program.graph_signature.buffers_to_mutate.values())
    if changed:
        in_training = changed[0].rpartition(".")[2] in STATISTICS
        hint = "dcz converts networks that keep nothing from one call to the next"
        raise ConversionError(
            "the network changes its buffers as it runs",
            found=changed[0],
            hint="export it in eval mode: model.eval()" if in_training else hint,
        )
