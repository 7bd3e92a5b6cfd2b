"""Kernels of two numbers in, one number out, against NumPy, over shapes that broadcast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dcz.dcformat import OPS
from dcz.runtime.kernels import binary
from dcz.runtime.plan.fuse import PAIRS

shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, min_dims=1, max_dims=4, min_side=1, max_side=19)
numbers = st.floats(-100, 100, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0])
limits = st.sampled_from([(-np.inf, np.inf), (0, np.inf), (-1.5, 0.25)])


def run(op, a, b, shape, bounds, out=None):
    rank = len(shape)
    a, b = (x.reshape((1,) * (rank - x.ndim) + x.shape) for x in (a, b))
    out = np.empty(shape, np.float32) if out is None else out
    function, arguments = binary.pair(getattr(binary, op), a, b, out, *bounds)
    function(*arguments)
    return out


def expected(op, a, b, bounds):
    with np.errstate(all="ignore"):
        exact = OPS[op].meaning(a[None].astype(np.float64), b[None].astype(np.float64))[0].astype(np.float32)
    return np.minimum(np.maximum(exact, np.float32(bounds[0])), np.float32(bounds[1]))


@pytest.mark.parametrize("op", PAIRS)
@settings(deadline=None, max_examples=20)
@given(data=st.data(), shapes=shapes, bounds=limits)
def test_broadcasting(op, data, shapes, bounds):
    a, b = (data.draw(hnp.arrays(np.float32, shape, elements=numbers)) for shape in shapes.input_shapes)
    with np.errstate(all="ignore"):  # as plain NumPy the kernel would tell of overflow
        found = run(op, a, b, shapes.result_shape, bounds)
    np.testing.assert_array_equal(found, expected(op, a, b, bounds))


@pytest.mark.parametrize("shape", [(16, 5, 7), (3, 1, 16), (2, 3, 35), (1,)])
@pytest.mark.parametrize("first", [True, False])
def test_in_place(shape, first):
    rng = np.random.default_rng(0)
    full, part = rng.normal(size=shape).astype(np.float32), rng.normal(size=(*shape[:-1], 1)).astype(np.float32)
    a, b = (full, part) if first else (part, full)
    wanted = expected("sub", a, b, (-np.inf, np.inf))
    np.testing.assert_array_equal(run("sub", a, b, shape, (-np.inf, np.inf), out=full), wanted)
