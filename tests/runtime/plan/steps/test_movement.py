"""Movements that need no copy, and those that need one."""

import numpy as np
import pytest
import reference

from dcz.dcformat import GraphBuilder, infer_shapes
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan

CUT = ("slice", {"axis": 0, "start": 1, "stop": 3})
COLUMNS = ("slice", {"axis": 2, "start": 1, "stop": 3})
TURN = ("permute", {"axes": (2, 0, 1)})
BACK = ("permute", {"axes": (1, 2, 0)})
JOIN = ("reshape", {"shape": (4, 30)})


@pytest.mark.parametrize(
    ("moves", "batch", "lanes", "kernels"),
    [
        ([CUT], 1, 1, ["view"]),
        ([CUT], 16, 16, ["view"]),
        ([CUT], 2, 1, ["strided_copy"]),
        ([COLUMNS], 1, 1, ["strided_copy"]),
        ([TURN, BACK], 2, 1, ["view"]),
        ([TURN, BACK, TURN], 2, 1, ["strided_copy"]),
        ([CUT, TURN], 2, 1, ["strided_copy"]),
        ([CUT, ("slice", {"axis": 0, "start": 1, "stop": 2}), COLUMNS], 1, 1, ["strided_copy"]),
        ([("reshape", {"shape": (4, 1, 30)}), ("permute", {"axes": (1, 0, 2)})], 2, 1, ["view", "view"]),
        ([JOIN, ("take", {"axis": 1, "indices": (5, 5, 0)})], 2, 1, ["view", "take_rows"]),
    ],
)
def test_elements_that_keep_their_order_are_not_copied(moves, batch, lanes, kernels):
    builder = GraphBuilder((4, 5, 6), {})
    value = builder.input
    for op, attrs in moves:
        value = builder.append(op, [value], attrs=attrs)
    graph = builder.finish(value)
    planned = plan(graph, infer_shapes(graph, {}), {}.__getitem__, batch, lanes=lanes)
    assert [step.kernel for step in planned.steps] == kernels
    x = np.random.default_rng(0).normal(size=(batch, 4, 5, 6)).astype(np.float32)
    found = np.empty((batch, *value.shape), np.float32)
    Executor(planned).run([x], [found])
    np.testing.assert_array_equal(found, reference.run(graph, {}, x).astype(np.float32))


def test_a_part_is_not_overwritten_while_the_whole_is_read():
    builder = GraphBuilder((4, 6), {})
    first = builder.append("relu", [builder.input])
    part = builder.append("slice", [first], attrs={"axis": 0, "start": 0, "stop": 2})
    rest = builder.append("slice", [first], attrs={"axis": 0, "start": 2, "stop": 4})
    changed = builder.append("leaky_relu", [builder.append("add", [part, rest])])
    graph = builder.finish(builder.append("concat", [changed, part, first, rest]))
    planned = plan(graph, infer_shapes(graph, {}), {}.__getitem__, 1)
    x = np.random.default_rng(0).normal(size=(1, 4, 6)).astype(np.float32)
    found = np.empty((1, 10, 6), np.float32)
    Executor(planned).run([x], [found])
    np.testing.assert_allclose(found, reference.run(graph, {}, x), rtol=1e-6)
