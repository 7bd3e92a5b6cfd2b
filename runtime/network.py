"""A container's network: its graph with the shapes of all values, and plans of it for slices of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import prod

from ..dcformat import Container, FormatError, Graph, Shape, infer_shapes
from ..dcformat.graph.ids import id_limits
from .plan.plan import Plan, plan
from .plan.steps import ONE_LANE
from .plan.target import HOST, Target
from .plan.tuning import Tuning
from .precision import uses_integers
from .simd import LANES
from .threads.team import Team

SLICES = (LANES, 4, 1)
"""Batch sizes with a plan: a batch is cut into slices of these sizes. The samples of the first are vector lanes."""
ARENA_LIMIT = 1 << 25
"""Greatest size in bytes of the activations of a slice of several samples: more would not fit the cache."""


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
    integers : bool
        Whether values that have a range are held as integers of 8 bits.
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
        self.integers = uses_integers(self.graph, precision, container.path)
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
            One of `SLICES`.
        team, packers, tuning, target
            As for `dcz.runtime.plan.plan.plan`.
        """
        lanes = LANES if size == LANES and self._interleaves and not self.integers else 1
        shared = self.graph, self.shapes, self.container.decode
        elements = {name: prod(shape) for name, shape in self.weights.items()}
        return plan(*shared, size, team, packers, lanes, elements, tuning, target, self.integers)

    def slices(self, samples: int, threads: int, arena_bytes: int) -> Iterator[tuple[int, int]]:
        """Cut a batch into slices, (start, size), sized by memory and the number of threads.

        Parameters
        ----------
        samples, threads : int
        arena_bytes : int
            Of a sample.
        """
        start = 0
        for size in self._sizes:
            if size > 1 and size * arena_bytes > ARENA_LIMIT:
                continue
            if size < LANES and size > max(1, samples // threads):
                continue
            while samples - start >= size:
                yield start, size
                start += size

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        """Batch sizes with a plan.

        Integer layers compute one sample after the other, whose activations stay in the cache while it is alone. Fully
        connected layers read their weights once for all samples.
        """
        connected = {node.params["weight"] for node in self.graph.nodes if node.op == "linear"}
        weights = {name: prod(shape) for name, shape in self.weights.items()}
        alone = self.integers and 2 * sum(weights[name] for name in connected) < sum(weights.values())
        return (1,) if alone else SLICES


def _graph(container: Container) -> Graph:
    if container.graph is None:
        raise FormatError(
            "container holds weights but no graph, so it can't run",
            path=container.path,
            hint="convert the checkpoint again with --arch NAME or --arch pkg.module:factory",
        )
    return container.graph
