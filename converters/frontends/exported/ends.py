"""The inputs and outputs of an exported program: which nodes they are, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument
from torch.utils import _pytree

from ....dcformat import ConversionError, Input
from ..inputs import DTYPES
from .tracing import quiet


def inputs_of(program: ExportedProgram) -> list[str]:
    """Names of the nodes that are the input tensors.

    Raises
    ------
    ConversionError
        There is none.
    """
    specs = [s for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    names = [s.arg.name for s in specs if isinstance(s.arg, TensorArgument)]
    if not names:
        raise ConversionError("the network has no input tensor", expected="1 or more", found="none")
    return names


def described(names: Sequence[str], nodes: Mapping[str, fx.Node], called: Sequence[str] | None) -> tuple[Input, ...]:
    """The inputs of a graph.

    Parameters
    ----------
    names : sequence of str
        Of the input nodes, as in the program.
    nodes : mapping of str to fx.Node
        These nodes.
    called : sequence of str or None
        What the user calls them; else one has the default name, several have those of the arguments of forward.

    Raises
    ------
    ConversionError
        An input without a batch axis of its own, of sizes that are not fixed, or of an element type that dcz lacks.
    """
    found = [nodes[name].meta["val"] for name in names]
    batch = str(found[0].shape[0]) if found[0].dim() else ""
    shapes = [_sample(name, value, batch) for name, value in zip(names, found, strict=True)]
    dtypes = [_dtype(name, value.dtype) for name, value in zip(names, found, strict=True)]
    called = called or ([Input.name] if len(names) == 1 else names)
    return tuple(Input(*item) for item in zip(shapes, called, dtypes, strict=True))


def _sample(name: str, value: Tensor, batch: str) -> tuple[int, ...]:
    shape = list(value.shape)
    if len(shape) < 2 or str(shape[0]) != batch:
        what = f"input {name!r} must be a batch, as long as the first input's"
        raise ConversionError(what, expected=f"[{batch}, ...]", found=f"[{', '.join(map(str, shape))}]")
    if not all(isinstance(n, int) for n in shape[1:]):
        what = "the input's sizes must be fixed, but for the batch"
        raise ConversionError(what, found=[str(n) for n in shape[1:]])
    return tuple(shape[1:])


def _dtype(name: str, dtype: torch.dtype) -> str:
    if dtype.is_floating_point:
        return DTYPES["float32"]
    if dtype in (torch.int64, torch.int32):
        return DTYPES["int64"]
    raise ConversionError(
        f"input {name!r} has an element type that dcz lacks",
        expected="floats, int64 or int32",
        found=str(dtype).removeprefix("torch."),
        hint="wrap the network in a module that takes floats and converts them",
    )


def outputs_of(program: ExportedProgram) -> dict[str, str]:
    """The nodes that are output tensors, by the names of the outputs.

    The tensors may stand in dictionaries, tuples and lists, None and numbers beside them. One alone has the default
    name. Of several, each is called after the keys of the dictionaries that hold it, else by its number: ``output_0``.
    Two of one name have all their keys and indices in it.

    Raises
    ------
    ConversionError
        There is none.
    """
    specs = [s for s in program.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT]
    with quiet():
        tree = _pytree.tree_unflatten(specs, program.call_spec.out_spec)
        paths = [path for path, _ in _pytree.tree_flatten_with_path(tree)[0]]
    pairs = zip(paths, (spec.arg for spec in specs), strict=True)
    found = [(path, arg.name) for path, arg in pairs if isinstance(arg, TensorArgument)]
    if not found:
        raise ConversionError("the network must have an output tensor", expected="1 or more", found="none")
    if len(found) == 1:
        return {"output": found[0][1]}
    names = [_output_name(path, number) for number, (path, _) in enumerate(found)]
    often = Counter(names)
    return {
        name if often[name] == 1 else "_".join(map(_piece, path)): node
        for name, (path, node) in zip(names, found, strict=True)
    }


def _output_name(path: Sequence[Any], number: int) -> str:
    """The path from the first key of a dictionary on, or the number of the output."""
    keyed = next((i for i, key in enumerate(path) if not isinstance(key, _pytree.SequenceKey)), len(path))
    return "_".join(map(_piece, path[keyed:])) or f"output_{number}"


def _piece(key: Any) -> str:
    return str(next(getattr(key, name) for name in ("key", "idx", "name") if hasattr(key, name)))


class Flat(nn.Module):
    """A module that takes its input tensors one after the other, however its forward wants them.

    Parameters
    ----------
    module : nn.Module
    program : ExportedProgram
        Made of it: says what forward takes.
    """

    def __init__(self, module: nn.Module, program: ExportedProgram) -> None:
        super().__init__()
        self.module = module
        self._specs = [s.arg for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
        self._tree = program.call_spec.in_spec

    def forward(self, *inputs: Tensor) -> Any:
        """Call the module."""
        waiting = iter(inputs)
        leaves = [next(waiting) if isinstance(arg, TensorArgument) else arg.value for arg in self._specs]
        args, kwargs = _pytree.tree_unflatten(leaves, self._tree)
        return self.module(*args, **kwargs)
