"""From a graph to a plan: layers bound to kernels, weights packed for them, memory laid out, for one batch size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dcformat import FormatError, Graph, Shape
from ..kernels.contract import F32
from ..program import Program, Recorder
from ..threads.team import Team
from ..threads.workers import Workers
from .fold import Decode
from .fuse import Layer, fuse
from .integers import Integers, ends_of, lower
from .margins import Margin, cut_margins
from .memory import MemoryMap, lay_out
from .signs import nonnegative_values
from .step import Context, Step
from .steps import build
from .target import HOST, Target

if TYPE_CHECKING:
    from .tuning import Tuning

MAX_ARENA = 1 << 30
"""Greatest arena in float32 elements a sample: 4 GiB, twice the limit of a container's live values. The rest is for
scratch memory, and for concatenations that wait for their parts."""


@dataclass(frozen=True)
class Plan:
    """A graph bound to kernels and buffers for one batch size; shared by all executors.

    Attributes
    ----------
    batch : int
        Samples a run.
    lanes : int
        Samples interleaved in memory: 1 or 16.
    shapes : list of tuple of int
        Shape of each value of the graph, without the batch axis.
    inputs, outputs : tuple of int
        The values that are given, and the values of the answer.
    steps : list of Step
    layout : MemoryMap
        Offsets in the arena.
    program : Program
        The calls of all steps.
    team : Team
        Threads for those that are parallel.
    integers : Integers or None
        Which values are bytes, in a plan of integers.
    """

    batch: int
    lanes: int
    shapes: list[Shape]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: list[Step]
    layout: MemoryMap
    program: Program
    team: Team
    integers: Integers | None = None

    def view(self, arena: F32, value: int) -> Any:
        """A value in an arena: float32, shape ``(samples, *shape, lanes)``, or the bytes of its planes, flat."""
        elements = _elements(value, self.shapes, self.batch, self.integers)
        if self.integers is not None and value in self.integers.ranges:
            return _window(arena, self.layout.values[value], elements).view(np.uint8)
        shape = self.batch // self.lanes, *self.shapes[value], self.lanes
        return _window(arena, self.layout.values[value], elements).reshape(shape)


def plan(
    graph: Graph,
    shapes: list[Shape],
    decode: Decode,
    batch: int,
    team: Team | None = None,
    packers: int = 1,
    lanes: int = 1,
    elements: Mapping[str, int] | None = None,
    tuning: Tuning | None = None,
    target: Target = HOST,
    integers: bool = False,
) -> Plan:
    """Plan a graph for one batch size.

    Parameters
    ----------
    graph : Graph
    shapes : list of tuple of int
        What `dcz.dcformat.infer_shapes` gives for it.
    decode : callable
        ``decode(name) -> Tensor``. Each tensor is decoded when its layer is packed, and dropped afterwards: memory
        never holds decoded weights of more layers than there are threads.
    batch : int
    team : Team, optional
        Threads that will run the large layers; answers do not depend on it.
    packers : int
        Threads that decode and pack layers; the plan does not depend on it.
    lanes : int
        Samples interleaved in memory: 1, or 16 for a batch of 16. Rounding differs between the two.
    elements : mapping of str to int, optional
        Size of each tensor, by name: several packers begin with the largest.
    tuning : Tuning, optional
        Chooses kernels by trial; without it cost estimates decide.
    target : Target, optional
        The processor that runs the plan; this one without it.
    integers : bool
        Whether values that have a range are held as bytes; the graph then has ranges, and there is one lane.

    Returns
    -------
    Plan

    Raises
    ------
    FormatError
        A sample needs more memory than `MAX_ARENA`.
    """
    given, answers, held = tuple(range(len(graph.inputs))), graph.answers, None
    layers = fuse(graph, shapes, ends_of(graph) if integers else ())
    if integers:
        lowered = lower(graph, layers, shapes)
        held, layers, shapes = lowered.integers, lowered.layers, lowered.shapes
        given, answers = lowered.inputs, lowered.outputs
    positive, margins = frozenset[int](), dict[int, Margin]()
    if target.words:  # answers are rounded: they need not be those of each step in its turn
        positive = nonnegative_values(graph)
        layers, shapes, margins = cut_margins(layers, shapes, answers) if held is None else (layers, shapes, margins)
    context = Context(batch, lanes, shapes, decode, team or Team(1), tuning, target, held, positive, margins)
    steps = _pack(layers, context, packers, elements or {})
    uses = [step.use for step in steps]
    values = {*given, *answers, *(value for use in uses for value in (*use.reads, use.makes))}
    sizes = {value: _elements(value, shapes, batch, held) for value in values}
    layout = lay_out(sizes, uses, given, answers)
    if layout.elements > batch * MAX_ARENA:
        found = f"{layout.elements / batch:.0f} elements"
        raise FormatError("the network's values take too much memory", expected=f"at most {MAX_ARENA}", found=found)
    recorder = Recorder(layout.elements)
    made = Plan(batch, lanes, shapes, given, answers, steps, layout, recorder.program, context.team, held)
    for step, offset in zip(steps, layout.scratch, strict=True):
        inputs = [made.view(recorder.arena, value) for value in step.use.reads]
        scratch = _window(recorder.arena, offset, step.use.scratch)
        recorder.add_step(step.bind(inputs, made.view(recorder.arena, step.use.makes), scratch))
    return made


def _elements(value: int, shapes: list[Shape], batch: int, integers: Integers | None) -> int:
    """Size of a value in the arena, in float32 elements."""
    if integers is None or value not in integers.ranges:
        return batch * prod(shapes[value])
    return batch * integers.planes(shapes[value]).size // np.float32().itemsize


def _window(arena: F32, offset: int, elements: int) -> F32:
    return arena[offset : offset + elements]


def _pack(layers: list[Layer], context: Context, packers: int, elements: Mapping[str, int]) -> list[Step]:
    """Make the steps. Several threads begin with the largest layer, so that none waits for it at the end."""
    if packers == 1:
        return [step for layer in layers for step in _steps(layer, context)]

    def size(layer: Layer) -> int:
        return sum(elements.get(name, 0) for name in layer.node.params.values())

    made: dict[int, list[Step]] = {}

    def make(layer: Layer) -> None:
        made[id(layer)] = _steps(layer, context)

    order = sorted(layers, key=size, reverse=True)
    Workers(packers).run(partial(make, layer) for layer in order)  # the kernels that decode and pack release the GIL
    return [step for layer in layers for step in made[id(layer)]]


def _steps(layer: Layer, context: Context) -> list[Step]:
    step = build(layer, context)
    if layer.pool is None or layer.pooled is None or step.use.makes == layer.output:
        return [step]
    return [step, build(Layer(layer.pool, (layer.pooled,), layer.output), context)]
