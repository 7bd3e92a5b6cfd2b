"""Layers of several rows, products of values and attention as a whole plan runs them, against torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, GraphBuilder, infer_shapes
from dcz.dcformat.tensors import to_csr
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan
from dcz.runtime.threads.team import Team

torch = pytest.importorskip("torch")
batches = st.sampled_from([1, 3])
sizes = st.integers(1, 40)
leading = st.lists(st.integers(1, 3), max_size=2).map(tuple)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def planned_for(graph, tensors, batch, threads=1, lanes=1):
    shapes = infer_shapes(graph, {name: tensor.shape for name, tensor in tensors.items()})
    return plan(graph, shapes, tensors.__getitem__, batch, Team(threads), lanes=lanes), shapes[graph.output]


def run(graph, tensors, x, threads=1, lanes=1):
    planned, shape = planned_for(graph, tensors, len(x), threads, lanes)
    found = np.empty((len(x), *shape), np.float32)
    Executor(planned).run([x], [found])
    return found


def of_values(op, values, attrs=None, threads=1):
    """What an operator makes of several values, which are parts of the network's input."""
    batch, ends = len(values[0]), np.cumsum([0, *(value[0].size for value in values)])
    builder = GraphBuilder((int(ends[-1]),), {})
    parts = [
        builder.reshape(
            builder.append("slice", [builder.input], attrs={"axis": 0, "start": int(start), "stop": int(stop)}),
            value.shape[1:],
        )
        for value, start, stop in zip(values, ends, ends[1:], strict=False)
    ]
    graph = builder.finish(builder.append(op, parts, attrs=attrs))
    return run(graph, {}, np.concatenate([value.reshape(batch, -1) for value in values], axis=1), threads)


def numbers_of(x):
    """A number for each row."""
    return np.linspace(1, 2, x.shape[1], dtype=np.float32)


def of_rows(x, weight, bias, after=(), lanes=1, threads=1):
    """A layer of rows, then other operators; "add" adds the rows of another such layer."""
    tensors = {"w": weight, "b": Dense(bias, "F32"), "n": Dense(numbers_of(x), "F32")}
    builder = GraphBuilder(x.shape[1:], {name: tensor.shape for name, tensor in tensors.items()})
    value = builder.append("linear", [builder.input], {"weight": "w", "bias": "b"})
    for op in after:
        if op == "add":
            value = builder.append(op, [value, builder.append("linear", [builder.input], {"weight": "w"})])
        else:
            norm = {"running_mean": "n", "running_var": "n"} if op == "batch_norm" else {}
            value = builder.append(op, [value], norm)
    return run(builder.finish(value), tensors, x, threads, lanes)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), sizes, sizes, st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([(1, 1), (3, 1), (16, 16)]))
def test_a_layer_of_rows_is_that_of_torch(rows, inputs, outputs, density, size):
    batch, lanes = size
    x, dense, bias = normal(0, batch, rows, inputs), normal(1, outputs, inputs), normal(2, outputs)
    dense[np.random.default_rng(3).random(dense.shape) >= density] = 0
    weight = to_csr(Dense(dense, "F32")) if density < 1 else Dense(dense, "F32")
    expected = torch.nn.functional.linear(*map(torch.from_numpy, (x, dense, bias))).numpy()
    np.testing.assert_allclose(of_rows(x, weight, bias, lanes=lanes), expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (16, 16)])
@pytest.mark.parametrize("rows", [1, 3, 50])
def test_what_follows_a_layer_of_rows_is_fused_only_where_it_is_the_same(rows, size):
    batch, lanes = size
    x, dense, bias = normal(0, batch, rows, 24), normal(1, 24, 24), normal(2, 24)
    weight = Dense(dense, "F32")
    linear = torch.nn.functional.linear(*map(torch.from_numpy, (x, dense, bias)))
    without_bias, norm = linear - torch.from_numpy(bias), torch.from_numpy(numbers_of(x))[:, None]
    for after, expected in {
        ("batch_norm", "relu"): ((linear - norm) / (norm + 1e-5) ** 0.5).relu(),
        ("add", "relu6"): (linear + without_bias).clamp(0, 6),
    }.items():
        found = of_rows(x, weight, bias, after, lanes)
        np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-4)


def test_a_split_batch_and_threads_give_the_same_bits():
    x, bias = normal(0, 3, 200, 200), normal(2, 240)
    weight = to_csr(Dense(normal(1, 240, 200) * (normal(3, 240, 200) > 1), "F32"))
    whole = of_rows(x, weight, bias, ("relu",))
    parts = np.concatenate([of_rows(x[i : i + 1], weight, bias, ("relu",), threads=1 + i % 2) for i in range(3)])
    np.testing.assert_array_equal(whole, parts)


@settings(deadline=None, max_examples=40)
@given(st.data(), batches, leading, sizes, sizes, sizes, st.sampled_from([1, 2]))
def test_products_are_those_of_torch(data, batch, shape, rows, inner, columns, threads):
    other = tuple(data.draw(st.sampled_from([1, n]), label="broadcast") for n in shape)
    a, b = normal(0, batch, *shape, rows, inner), normal(1, batch, *other, inner, columns)
    if data.draw(st.booleans(), label="swapped"):
        a, b = normal(0, batch, *other, rows, inner), normal(1, batch, *shape, inner, columns)
    expected = torch.from_numpy(a).double() @ torch.from_numpy(b).double()
    np.testing.assert_allclose(of_values("matmul", [a, b], threads=threads), expected.numpy(), rtol=0, atol=3e-5)


@settings(deadline=None, max_examples=40)
@given(st.data(), batches, leading, sizes, sizes, sizes, sizes, st.booleans(), st.sampled_from([0.1, 1.0]))
def test_attention_is_that_of_torch(data, batch, shape, queries, keys, width, value_width, causal, scale):
    values = [normal(i, batch, *shape, n, w) for i, (n, w) in enumerate([(queries, width), (keys, width)])]
    values.append(normal(2, batch, *shape, keys, value_width))
    mask = None
    if not causal and data.draw(st.booleans(), label="mask"):
        mask = normal(3, batch, *(1 for _ in shape), queries, keys)
        mask[..., 1:] = np.where(mask[..., 1:] > 1, -np.inf, mask[..., 1:])  # one key is always seen
    tensors = [torch.from_numpy(value).double() for value in values]
    bias = None if mask is None else torch.from_numpy(mask).double()
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, bias, is_causal=causal, scale=scale).numpy()
    attrs = {"scale": scale, "causal": causal}
    found = of_values("attention", values if mask is None else [*values, mask], attrs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_attention_is_shared_among_threads_bit_for_bit():
    values = [normal(i, 1, 3, 197, 64) for i in range(3)]
    one, two = (of_values("attention", values, {"scale": 0.125}, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_nan_spoils_the_rows_that_see_it():
    q, k, v = (normal(i, 1, 20, 5) for i in range(3))
    k[0, 17, 2] = np.nan
    found = of_values("attention", [q, k, v], {"scale": 1.0, "causal": True})
    assert np.isfinite(found[0, :17]).all()
    assert np.isnan(found[0, 17:]).all()
