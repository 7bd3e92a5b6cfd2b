"""What a model tells about itself without its weights: shapes, sizes, layers. Compiled programs carry it as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from .slices import sizes_of

if TYPE_CHECKING:
    from ..dcformat import Shape
    from .network import Network
    from .plan.plan import Plan
    from .plan.step import Step


class LayerStats(TypedDict):
    """One line of a model's layer table: operator, name of its weight tensor or "", kernel, bytes of packed weights."""

    op: str
    weight: str
    kernel: str
    weight_bytes: int


class Facts(NamedTuple):
    """What a model tells about itself.

    Attributes
    ----------
    inputs, outputs : dict of str to tuple of int
        Shapes by name, of one sample, without the batch axis.
    limits : dict of int to int
        What `dcz.dcformat.graph.ids.id_limits` gives.
    has_ranges : bool
        Whether the container has ranges for 8-bit integers.
    precision : str
        ``fp32``, ``s16`` or ``u8``.
    file_bytes : int
    arena_bytes : int
        Activations of a sample.
    sizes : list of int
        Of the slices that it is run in, as `dcz.runtime.slices.sizes_of` gives them.
    layers : list of LayerStats
    """

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    limits: dict[int, int]
    has_ranges: bool
    precision: str
    file_bytes: int
    arena_bytes: int
    sizes: list[int]
    layers: list[LayerStats]

    @property
    def one_to_one(self) -> bool:
        """Whether it takes one array, of floats, and gives one."""
        return len(self.inputs) == len(self.outputs) == 1 and not self.limits

    def to_json(self) -> str:
        """The facts as JSON."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @staticmethod
    def from_json(text: str | bytes) -> Facts:
        """What `to_json` wrote."""
        facts = json.loads(text)
        for ends in ("inputs", "outputs"):
            facts[ends] = {name: tuple(shape) for name, shape in facts[ends].items()}
        facts["limits"] = {int(number): limit for number, limit in facts["limits"].items()}
        return Facts(**facts)


def facts_of(network: Network, single: Plan) -> Facts:
    """The facts of a network, and of its plan for one sample."""
    arena_bytes = 4 * single.layout.elements
    return Facts(
        inputs=network.input_shapes,
        outputs=network.output_shapes,
        limits=network.limits,
        has_ranges=network.graph.quantization is not None,
        precision=network.arithmetic.name,
        file_bytes=network.container.file_bytes,
        arena_bytes=arena_bytes,
        sizes=sizes_of(arena_bytes, network.alone),
        layers=[layer_stats([step]) for step in single.steps],
    )


def layer_stats(steps: list[Step]) -> LayerStats:
    """The line of the layer table for a layer of one step or several."""
    return LayerStats(
        op=steps[0].op,
        weight=steps[0].weight,
        kernel=" + ".join(step.kernel for step in steps),
        weight_bytes=sum(step.weight_bytes for step in steps),
    )
