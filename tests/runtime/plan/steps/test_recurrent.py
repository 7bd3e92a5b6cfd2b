"""Recurrent layers as a whole plan runs them, against torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, GraphBuilder, infer_shapes
from dcz.dcformat.tensors import to_csr
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan

torch = pytest.importorskip("torch")
sizes = st.integers(1, 40)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["lstm", "gru"]), st.sampled_from([1, 3]), sizes, sizes, sizes, st.booleans(), st.booleans())
def test_states_are_those_of_torch(op, batch, steps, inputs, size, reverse, sparse):
    torch.manual_seed(steps)
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[op](inputs, size, batch_first=True)
    if sparse:
        with torch.no_grad():
            layer.weight_hh_l0 *= torch.rand(layer.weight_hh_l0.shape) < 0.2
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    tensors = {name: Dense(getattr(layer, f"{name}_l0").detach().numpy(), "F32") for name in names}
    if sparse:
        tensors["weight_hh"] = to_csr(tensors["weight_hh"])
    builder = GraphBuilder((steps, inputs), {name: tensor.shape for name, tensor in tensors.items()})
    made = builder.append(op, [builder.input], {name: name for name in names}, {"reverse": reverse})
    graph = builder.finish(made)
    shapes = infer_shapes(graph, {name: tensor.shape for name, tensor in tensors.items()})
    x = torch.randn(batch, steps, inputs) * 2
    found = np.empty((batch, steps, size), np.float32)
    Executor(plan(graph, shapes, tensors.__getitem__, batch)).run([x.numpy()], [found])
    with torch.no_grad():
        expected = layer(x.flip(1))[0].flip(1) if reverse else layer(x)[0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)
