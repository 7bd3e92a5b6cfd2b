"""Operators that write into a tensor that nothing else shares: ``relu_(conv(x))`` becomes ``relu(conv(x))``.

``ExportedProgram.run_decompositions`` does so for all of them, but traces the whole network once more.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch._ops import OpOverload

aten = torch.ops.aten

FRESH = frozenset(
    {
        aten.adaptive_avg_pool2d.default, aten.add.Tensor, aten.avg_pool2d.default, aten.batch_norm.default,
        aten.cat.default, aten.clamp.default, aten.conv1d.default, aten.conv2d.default, aten.conv2d.padding,
        aten.conv_transpose2d.input, aten.div.Tensor, aten.elu.default, aten.group_norm.default,
        aten.hardsigmoid.default, aten.hardswish.default, aten.hardtanh.default, aten.layer_norm.default,
        aten.leaky_relu.default, aten.linear.default, aten.matmul.default, aten.max_pool2d.default, aten.mul.Tensor,
        aten.relu.default, aten.sigmoid.default, aten.silu.default, aten.sub.Tensor, aten.tanh.default,
    }
)  # fmt: skip
"""Operators whose answer shares memory with none of their inputs. The schema of composite ones does not say so."""


def writes(target: Any) -> bool:
    """Whether an operator writes into a tensor that it is given."""
    return isinstance(target, OpOverload) and target._schema.is_mutable


def replace_writes(graph: fx.Graph) -> bool:
    """Replace operators that write into tensors by those that make new ones, where the answer stays the same.

    Parameters
    ----------
    graph : fx.Graph
        Changed in place.

    Returns
    -------
    bool
        Whether none that writes is left.
    """
    seen: set[fx.Node] = set()
    for node in graph.nodes:
        if writes(node.target):
            plain = _plain(node, seen)
            if plain is None:
                return False
            node.target, written = plain, node.args[0]
            later = written.users.keys() - seen - {node}
            written.replace_all_uses_with(node, delete_user_cb=later.__contains__)
        seen.add(node)
    return True


def _plain(node: fx.Node, seen: set[fx.Node]) -> OpOverload | None:
    """The operator that does the same as one that writes, if only the first argument is written, and nothing shares it.

    Parameters
    ----------
    node : fx.Node
    seen : set of fx.Node
        The nodes before it, with no writing operators.
    """
    assert isinstance(node.target, OpOverload)
    written, schema = node.args[0], node.target._schema
    plain = _overload(schema)
    if plain not in FRESH or not isinstance(written, fx.Node):
        return None
    if any(argument.is_write for argument in schema.arguments[1:]):
        return None
    if not all(other.target in FRESH for other in (written, *(seen & written.users.keys()))):
        return None
    read = {other.meta["val"].dtype for other in node.all_input_nodes}
    return plain if read == {node.meta["val"].dtype} else None


def _overload(schema: torch.FunctionSchema) -> OpOverload | None:
    """``aten.relu.default`` for ``aten::relu_``."""
    packet = getattr(aten, schema.name.removeprefix("aten::").removesuffix("_"), None)
    return getattr(packet, schema.overload_name or "default", None)
