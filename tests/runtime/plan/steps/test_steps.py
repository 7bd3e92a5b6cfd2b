"""Every operator as the runtime runs it, one sample after the other and side by side, against what it means."""

import numpy as np
import pytest
import reference
from op_cases import CASES, IDS, batch_for, network

from dcz.dcformat import OPS, Dense, infer_shapes
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan
from dcz.runtime.plan.steps import ONE_LANE, STEPS


def test_every_operator_of_the_format_has_a_step():
    assert STEPS.keys() == OPS.keys()


@pytest.mark.parametrize(("batch", "lanes"), [(1, 1), (3, 1), (16, 16)])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_runtime_gives_what_the_operator_means(case, batch, lanes):
    if lanes > 1 and case.op in ONE_LANE:
        pytest.skip("samples of this operator are never interleaved")
    graph, tensors = network(case)
    shapes = infer_shapes(graph, {name: array.shape for name, array in tensors.items()})
    planned = plan(graph, shapes, lambda name: Dense(tensors[name], "F32"), batch, lanes=lanes)
    x = batch_for(graph, batch)
    found = np.empty((batch, *case.output), np.float32)
    Executor(planned).run([x], [found])
    expected = reference.run(graph, tensors, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * max(1.0, np.abs(expected).max()))
