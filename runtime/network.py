"""A container's network: its graph with the shapes of all values, and plans of it for slices of a batch."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from ..dcformat import Container, FormatError, Graph, Shape, infer_shapes
from ..dcformat.graph.ids import id_limits
from .plan.plan import Plan, plan
from .plan.steps import ONE_LANE
from .plan.target import HOST, Target
from .precision import arithmetic
from .slices import LANES
from .threads.team import Team

if TYPE_CHECKING:
    from .plan.tuning import Tuning


class Network:
    """The network of a container.

    Parameters
    ----------
    container : Container
    precision : str
        As for `dcz.load`.

    Attributes
    ----------
    container : Container
    graph : Graph
    arithmetic : Arithmetic
        What the precision means for the graph.
    weights : dict of str to tuple of int
        Shape of each tensor of the graph.
    shapes : list of tuple of int
        Shape of each value of the graph, without the batch axis.
    input_shapes, output_shapes : dict of str to tuple of int
        By name, of one sample, without the batch axis.
    limits : dict of int to int
        What `dcz.dcformat.graph.ids.id_limits` gives.

    Raises
    ------
    FormatError
        The container holds no graph.
    InputError
        The precision is unknown, or needs ranges that the container does not have.
    """

    def __init__(self, container: Container, precision: str = "fp32") -> None:
        self.container, self.graph = container, _graph(container)
        self.arithmetic = arithmetic(self.graph, precision, container.path)
        self.weights = {name: container.entries[name].shape for name in self.graph.tensor_names()}
        self.shapes = infer_shapes(self.graph, self.weights)
        self.input_shapes: dict[str, Shape] = {given.name: given.shape for given in self.graph.inputs}
        self.output_shapes = {answer.name: self.shapes[answer.value] for answer in self.graph.outputs}
        self.limits = id_limits(self.graph, self.weights)
        self._interleaves = ONE_LANE.isdisjoint(node.op for node in self.graph.nodes)

    def plan(
        self,
        size: int,
        team: Team | None = None,
        packers: int = 1,
        tuning: Tuning | None = None,
        target: Target = HOST,
    ) -> Plan:
        """Plan a slice.

        Parameters
        ----------
        size : int
            One of `dcz.runtime.slices.SLICES`.
        team, packers, tuning, target
            As for `dcz.runtime.plan.plan.plan`.
        """
        lanes = LANES if size == LANES and self._interleaves and not self.arithmetic.one_by_one else 1
        shared = self.graph, self.shapes, self.container.decode
        elements = {name: prod(shape) for name, shape in self.weights.items()}
        target = self.arithmetic.target(target)
        return plan(*shared, size, team, packers, lanes, elements, tuning, target, self.arithmetic.integers)

    @cached_property
    def alone(self) -> bool:
        """Whether samples of a batch run one by one.

        Integer layers compute one sample after the other, whose activations stay in the cache while it is alone. Fully
        connected layers read their weights once for all samples.
        """
        connected = {node.params["weight"] for node in self.graph.nodes if node.op == "linear"}
        weights = {name: prod(shape) for name, shape in self.weights.items()}
        return self.arithmetic.integers and 2 * sum(weights[name] for name in connected) < sum(weights.values())


def _graph(container: Container) -> Graph:
    if container.graph is None:
        raise FormatError(
            "container holds weights but no graph, so it can't run",
            path=container.path,
            hint="convert the checkpoint again with --arch NAME or --arch pkg.module:factory",
        )
    return container.graph
