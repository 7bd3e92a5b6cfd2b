"""The operator graph of a network: pure data, in topological order, with static per-sample shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from .quantization import Quantization

Shape: TypeAlias = tuple[int, ...]
Attr: TypeAlias = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator.

    Attributes
    ----------
    op : str
        A name in `dcz.dcformat.OPS`.
    inputs : tuple of int
        Values it reads. Where the network has n inputs, values 0 to n - 1 are these, and value n + i is what node i
        makes.
    params : mapping of str to str
        Tensor names by role (``weight``, ``bias``, ``running_mean``, ...).
    attrs : mapping of str to Attr
        Attributes; `dcz.dcformat.make_node` fills in the defaults. Axes never count the batch axis.
    """

    op: str
    inputs: tuple[int, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    attrs: Mapping[str, Attr] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """A value that the network is given.

    Attributes
    ----------
    shape : tuple of int
        Of one sample, without the batch axis: (C, H, W) or (features,).
    name : str
    dtype : str
        ``F32``, or ``I64`` for integers: row numbers of an embedding.
    """

    shape: Shape
    name: str = "input"
    dtype: str = "F32"


@dataclass(frozen=True)
class Output:
    """A value that the network answers with.

    Attributes
    ----------
    value : int
    name : str
    """

    value: int
    name: str = "output"


@dataclass(frozen=True, init=False)
class Graph:
    """A network: a list of nodes, each reading only values made before it.

    Parameters
    ----------
    inputs : tuple of Input, or tuple of int
        Or the shape of the one input, which has the default name.
    nodes : tuple of Node
        In topological order.
    outputs : tuple of Output, or int
        Or the value of the one output, which has the default name.
    quantization : Quantization, optional

    Attributes
    ----------
    inputs : tuple of Input
        Values 0, 1, ..., in this order.
    nodes : tuple of Node
    outputs : tuple of Output
    quantization : Quantization or None
        What it takes to compute it with integers; None before calibration.
    """

    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    quantization: Quantization | None

    def __init__(
        self,
        inputs: Shape | tuple[Input, ...],
        nodes: tuple[Node, ...],
        outputs: int | tuple[Output, ...],
        quantization: Quantization | None = None,
    ) -> None:
        given = tuple(item for item in inputs if isinstance(item, Input))
        answers = (Output(outputs),) if isinstance(outputs, int) else outputs
        object.__setattr__(self, "inputs", given or (Input(cast(Shape, inputs)),))
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "outputs", answers)
        object.__setattr__(self, "quantization", quantization)

    @property
    def input_shape(self) -> Shape:
        """Shape of one sample of the first input."""
        return self.inputs[0].shape

    @property
    def output(self) -> int:
        """The value of the first output."""
        return self.outputs[0].value

    @property
    def answers(self) -> tuple[int, ...]:
        """The values of all outputs."""
        return tuple(output.value for output in self.outputs)

    def value_of(self, index: int) -> int:
        """The value that a node makes, by the index of the node."""
        return len(self.inputs) + index

    def maker(self, value: int) -> Node | None:
        """The node that makes a value; None for an input."""
        return self.nodes[value - len(self.inputs)] if value >= len(self.inputs) else None

    def tensor_names(self) -> list[str]:
        """Names of the tensors that the nodes use, in order of first use."""
        return list(dict.fromkeys(name for node in self.nodes for name in node.params.values()))

    def renamed(self, names: Mapping[str, str]) -> Graph:
        """The same graph, with other names for some of the tensors."""
        params = ({role: names.get(name, name) for role, name in node.params.items()} for node in self.nodes)
        nodes = (replace(node, params=own) for node, own in zip(self.nodes, params, strict=True))
        quantization = self.quantization and self.quantization.renamed(names)
        return replace(self, nodes=tuple(nodes), quantization=quantization)
