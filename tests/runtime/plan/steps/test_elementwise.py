"""Activations as a whole plan runs them, against torch, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dcz.dcformat import Graph, make_node
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan

numbers = st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45])
slopes = st.floats(-4, 4) | st.sampled_from([0.0, -0.0, 0.01, 1.0, 1e-40, 1e30])
shapes = st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple)


@settings(deadline=None)
@given(st.data(), shapes, slopes, st.sampled_from([(1, 1), (3, 1), (16, 16)]))
def test_leaky_relu_is_that_of_torch(data, shape, slope, size):
    torch = pytest.importorskip("torch")
    batch, lanes = size
    x = data.draw(hnp.arrays(np.float32, (batch, *shape), elements=numbers))
    graph = Graph(shape, (make_node("leaky_relu", (0,), attrs={"negative_slope": slope}),), 1)
    planned = plan(graph, [shape, shape], {}.__getitem__, batch, lanes=lanes)
    found = np.empty_like(x)
    with np.errstate(all="ignore"):  # as plain NumPy the kernel would tell of overflow
        Executor(planned).run([x], [found])
    expected = torch.nn.functional.leaky_relu(torch.from_numpy(x), slope).numpy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    number = ~np.isnan(found)
    np.testing.assert_array_equal(found[number].view(np.int32), expected[number].view(np.int32))
