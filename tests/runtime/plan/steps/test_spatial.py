"""Transposed convolution and interpolation as whole plans run them, over generated parameters."""

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, GraphBuilder, infer_shapes
from dcz.dcformat.graph.ops.resize import COORDINATES, MODES, ROUNDINGS
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan

pairs = {most: st.tuples(st.integers(1, most), st.integers(1, most)) for most in (3, 4, 6, 12)}
sizes = st.sampled_from([(1, 1), (2, 1), (16, 16)])


def run(graph, tensors, x, lanes):
    """The runtime's answers."""
    shapes = infer_shapes(graph, {name: array.shape for name, array in tensors.items()})
    planned = plan(graph, shapes, lambda name: Dense(tensors[name], "F32"), len(x), lanes=lanes)
    found = np.empty((len(x), *shapes[graph.output]), np.float32)
    Executor(planned).run([x], [found])
    return found


@settings(deadline=None, max_examples=60)
@given(st.data(), pairs[6], pairs[4], pairs[3], pairs[3], st.sampled_from([1, 2]), sizes)
def test_transposed_convolution_is_that_of_torch(data, image, kernel, stride, dilation, groups, size):
    torch = pytest.importorskip("torch")
    padding = tuple(data.draw(st.integers(0, d * (k - 1) + 1)) for k, d in zip(kernel, dilation, strict=True))
    more = tuple(data.draw(st.integers(0, max(each) - 1)) for each in zip(stride, dilation, strict=True))
    attrs = {"stride": stride, "padding": padding, "output_padding": more, "dilation": dilation, "groups": groups}
    rng = np.random.default_rng(sum(image))
    weight = rng.normal(size=(4, 3, *kernel)) * (rng.random((4, 3, *kernel)) < rng.choice([0.3, 1]))
    tensors = {"weight": weight.astype(np.float32), "bias": rng.normal(size=3 * groups).astype(np.float32)}
    builder = GraphBuilder((4, *image), {name: array.shape for name, array in tensors.items()})
    made = builder.append("conv_transpose2d", [builder.input], {name: name for name in tensors}, attrs)
    assume(min(made.shape) > 0)
    graph = builder.finish(builder.append("relu", [made]))
    x = rng.normal(size=(size[0], 4, *image)).astype(np.float32)
    names = {name: torch.from_numpy(array) for name, array in tensors.items()}
    expected = torch.conv_transpose2d(torch.from_numpy(x), *names.values(), stride, padding, more, groups, dilation)
    np.testing.assert_allclose(run(graph, tensors, x, size[1]), expected.relu().numpy(), atol=2e-5)


@settings(deadline=None, max_examples=60)
@given(
    pairs[12],
    pairs[12],
    st.sampled_from(MODES),
    st.sampled_from(COORDINATES),
    st.sampled_from(ROUNDINGS),
    st.sampled_from([0.0, 0.4, 1.0, 2.5]),
    sizes,
)
def test_interpolation_is_what_it_means(image, output, mode, coordinates, rounding, scale, size):
    attrs = {"output": output, "mode": mode, "coordinates": coordinates, "rounding": rounding, "scale_y": scale}
    builder = GraphBuilder((3, *image), {})
    graph = builder.finish(builder.append("resize", [builder.input], attrs=attrs))
    x = np.random.default_rng(image[0]).normal(size=(size[0], 3, *image)).astype(np.float32)
    np.testing.assert_allclose(run(graph, {}, x, size[1]), reference.run(graph, {}, x), atol=1e-5)


@pytest.mark.parametrize("output", [(6, 8), (3, 4), (4, 8)])
def test_nearest_gives_the_elements_themselves(output):
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45] * 2, np.float32).reshape(1, 1, 3, 4)
    builder = GraphBuilder((1, 3, 4), {})
    graph = builder.finish(builder.append("resize", [builder.input], attrs={"output": output}))
    rows, columns = (np.arange(n) * size // n for n, size in zip(output, (3, 4), strict=True))
    found = run(graph, {}, x, 1)
    np.testing.assert_array_equal(found.view(np.int32), x[:, :, rows][:, :, :, columns].view(np.int32))
