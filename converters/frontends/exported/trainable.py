"""A module that trains, out of a program of ``torch.export``.

A program computes as in eval mode for ever, with its layers spelled as functions of weights. Here convolutions, linear
layers, batch norms and dropout become modules again, under the names of their weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from ....dcformat import ConversionError, Shape
from .capture import batch_size
from .torch_export import load_program
from .tracing import first_line

ATEN = torch.ops.aten
SAMPLES = 3
"""Size of the batch by which a module is compared with its program."""


def trainable(path: Path) -> tuple[nn.Module, Shape]:
    """Read a ``.pt2`` file as a module with its weights, in eval mode.

    Returns
    -------
    module : nn.Module
        Takes batches of any size.
    input_shape : tuple of int
        Of one sample.

    Raises
    ------
    ConversionError
        Not such a file, or a program with several inputs or outputs, or of one batch size only.
    """
    try:
        program = load_program(path)
    except ConversionError as error:
        raise error.at(path) from None
    exported = program.module()
    assert isinstance(exported, fx.GraphModule)
    graph = exported.graph
    inputs, (output,) = graph.find_nodes(op="placeholder"), graph.find_nodes(op="output")
    answers = output.args[0] if isinstance(output.args[0], tuple | list) else output.args
    if len(inputs) != 1 or len(answers) != 1 or not isinstance(inputs[0].meta["val"], Tensor):
        found = f"{len(inputs)} and {len(answers)}"
        raise ConversionError("a program to compress has one input and one output", path=path, found=found)
    output.args = (answers[0],)
    graph.set_codegen(fx.graph.CodeGen())  # the program's own checks its arguments' nesting
    for node in list(graph.nodes):
        _rewrite(exported, node)
    graph.eliminate_dead_code()
    module = fx.GraphModule(exported, graph).eval()
    shape = tuple(int(size) for size in inputs[0].meta["val"].shape[1:])
    _check(module, program, shape, path)
    return module, shape


def _rewrite(root: fx.GraphModule, node: fx.Node) -> None:
    """Make a module of a node that calls one, and free a view from the size of the batch."""
    if node.op == "call_module":  # the only one of a program: it checks the sizes of the input
        root.graph.erase_node(node)
    elif node.target in LAYERS:
        given = _arguments(node)
        name, made = LAYERS[node.target](root, node, given)
        if name:
            root.set_submodule(name, made)
            node.op, node.target, node.args, node.kwargs = "call_module", name, (given["input"],), {}
    elif node.target in (ATEN.view.default, ATEN.reshape.default):
        rest = node.meta["val"].shape[1:]
        if all(isinstance(size, int) for size in rest):
            node.args = (node.args[0], [-1, *rest])


def _arguments(node: fx.Node) -> dict[str, Any]:
    """Arguments of a node by name, with the operator's defaults; lists as tuples."""
    given = dict(node.kwargs)
    for place, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        value = node.args[place] if place < len(node.args) else given.get(argument.name, argument.default_value)
        given[argument.name] = tuple(value) if isinstance(value, list) else value
    return given


def _owner(*tensors: object) -> str:
    """The module that holds tensors under the names which they have in it; empty if none does."""
    names = [str(tensor.target).rpartition(".") for tensor in tensors if isinstance(tensor, fx.Node)]
    owners = {owner for owner, _, _ in names}
    usual = {last for _, _, last in names} <= {"weight", "bias", "running_mean", "running_var"}
    return owners.pop() if usual and len(owners) == 1 else ""


def _fill(root: fx.GraphModule, layer: nn.Module, given: dict[str, Any]) -> nn.Module:
    """Give a layer the tensors that its node reads."""
    for name, node in given.items():
        if isinstance(node, fx.Node) and node.op == "get_attr" and hasattr(layer, name):
            owner, _, last = str(node.target).rpartition(".")
            setattr(layer, name, getattr(root.get_submodule(owner), last))
    return layer


def _convolution(kind: type[nn.Module]) -> Make:
    def make(root: fx.GraphModule, node: fx.Node, given: dict[str, Any]) -> tuple[str, nn.Module]:
        outputs, inputs, *kernel = given["weight"].meta["val"].shape
        options = {key: given[key] for key in ("stride", "padding", "dilation", "groups")}
        layer = kind(inputs * given["groups"], outputs, tuple(kernel), bias=given["bias"] is not None, **options)
        return _owner(given["weight"], given["bias"]), _fill(root, layer, given)

    return make


def _linear(root: fx.GraphModule, node: fx.Node, given: dict[str, Any]) -> tuple[str, nn.Module]:
    outputs, inputs = given["weight"].meta["val"].shape
    layer = nn.Linear(inputs, outputs, bias=given["bias"] is not None)
    return _owner(given["weight"], given["bias"]), _fill(root, layer, given)


def _batch_norm(root: fx.GraphModule, node: fx.Node, given: dict[str, Any]) -> tuple[str, nn.Module]:
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    tensors = [given[name] for name in ("weight", "bias", "running_mean", "running_var")]
    kind, channels = kinds[given["input"].meta["val"].ndim], given["input"].meta["val"].shape[1]
    layer = kind(channels, given["eps"], given["momentum"], affine=given["weight"] is not None)
    return _owner(*tensors), _fill(root, layer, given)


def _dropout(root: fx.GraphModule, node: fx.Node, given: dict[str, Any]) -> tuple[str, nn.Module]:
    return f"{node.name}_of_program", nn.Dropout(given["p"])


Make = Callable[[fx.GraphModule, fx.Node, dict[str, Any]], tuple[str, nn.Module]]

LAYERS: dict[Any, Make] = {
    ATEN.conv1d.default: _convolution(nn.Conv1d),
    ATEN.conv1d.padding: _convolution(nn.Conv1d),
    ATEN.conv2d.default: _convolution(nn.Conv2d),
    ATEN.conv2d.padding: _convolution(nn.Conv2d),
    ATEN.linear.default: _linear,
    ATEN.batch_norm.default: _batch_norm,
    ATEN.dropout.default: _dropout,
}
"""By operator: ``(program, node, arguments) -> (name of the module, module)``; no name where no module can hold it."""


@torch.no_grad()
def _check(module: nn.Module, program: ExportedProgram, shape: Shape, path: Path) -> None:
    """Raise ConversionError unless the module answers a batch as the program answers its samples."""
    batch = torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(0))
    size = batch_size(program)
    try:
        answers = module(batch)
        one = program.module()(batch[:1].expand(size or 1, *shape))[:1]
        alike = torch.allclose(answers[:1], one, rtol=1e-4, atol=1e-5 * float(one.abs().max() + 1))
        if answers.shape[0] == SAMPLES and alike:
            return
        reason = "answers change with the size of the batch"
    except RuntimeError as error:
        reason = first_line(error)
    hint = "export it with dynamic_shapes for the batch, or give the network by --arch pkg.module:factory"
    raise ConversionError("the program cannot train: it is of one batch size only", path=path, found=reason, hint=hint)
