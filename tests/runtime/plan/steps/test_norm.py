"""Normalisations and reductions as a whole plan runs them, against torch, over shapes and numbers of every kind."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, Graph, GraphBuilder, infer_shapes
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.plan import plan
from dcz.runtime.threads.team import Team

torch = pytest.importorskip("torch")
sizes = st.sampled_from([(1, 1), (3, 1), (16, 16)])
shapes = st.lists(st.integers(1, 21), min_size=1, max_size=4).map(tuple)
REDUCTIONS = {
    "reduce_mean": torch.mean,
    "reduce_sum": torch.sum,
    "reduce_max": torch.amax,
    "reduce_min": torch.amin,
    "reduce_l2": torch.linalg.vector_norm,
}


def run(op: str, x: np.ndarray, lanes: int, attrs: dict[str, Any], threads: int = 1, **tensors: Any) -> np.ndarray:
    arrays = {role: tensor.numpy() for role, tensor in tensors.items()}
    builder = GraphBuilder(x.shape[1:], {role: array.shape for role, array in arrays.items()})
    graph: Graph = builder.finish(builder.append(op, [builder.input], {role: role for role in arrays}, attrs))
    shapes = infer_shapes(graph, {role: array.shape for role, array in arrays.items()})
    planned = plan(graph, shapes, lambda name: Dense(arrays[name], "F32"), len(x), Team(threads), lanes=lanes)
    found = np.empty((len(x), *shapes[-1]), np.float32)
    with np.errstate(all="ignore"):  # as plain NumPy the kernel would tell of overflow
        Executor(planned).run([x], [found])
    return found


def normal(seed: int, *shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def some_of(data: Any, **tensors: Any) -> dict[str, Any]:
    return {role: tensor for role, tensor in tensors.items() if data.draw(st.booleans(), label=role)}


def wide(tensors: dict[str, Any], *roles: str) -> list[Any]:
    return [tensors[role].double() if role in tensors else None for role in roles]


@settings(deadline=None, max_examples=40)
@given(st.data(), shapes, sizes, st.sampled_from([1e-5, 0.1]), st.sampled_from([0.0, 100.0]))
def test_trailing_norms_are_those_of_torch(data, shape, size, eps, mean):
    batch, lanes = size
    trailing = data.draw(st.integers(1, len(shape)))
    last = list(shape[len(shape) - trailing :])
    x = normal(0, batch, *shape) + mean
    given = some_of(data, weight=normal(1, *last), bias=normal(2, *last))
    attrs = {"trailing": trailing, "eps": eps}
    expected = torch.nn.functional.layer_norm(x.double(), last, *wide(given, "weight", "bias"), eps)
    found = run("layer_norm", x.numpy(), lanes, attrs, **given)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=2e-3 if mean else 2e-5)
    given.pop("bias", None)
    expected = torch.nn.functional.rms_norm(x.double(), last, *wide(given, "weight"), eps)
    np.testing.assert_allclose(run("rms_norm", x.numpy(), lanes, attrs, **given), expected.numpy(), atol=2e-5)


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize(
    ("op", "attrs", "expected"),
    [
        ("layer_norm", {"trailing": 2, "eps": 1e-5}, lambda x: torch.nn.functional.layer_norm(x, x.shape[1:])),
        ("rms_norm", {"trailing": 2, "eps": 0.0}, lambda x: torch.nn.functional.rms_norm(x, x.shape[1:], eps=0)),
        ("reduce_mean", {"axes": (0, 1)}, lambda x: x.mean((1, 2), keepdim=True)),
        ("reduce_sum", {"axes": (0,)}, lambda x: x.sum(1, keepdim=True)),
        ("reduce_l2", {"axes": (0,)}, lambda x: torch.linalg.vector_norm(x, dim=1, keepdim=True)),
    ],
)
def test_sums_of_many_elements_lose_no_digits(op, attrs, expected, lanes):
    x = normal(0, lanes, 30_001, 2).abs()
    np.testing.assert_allclose(run(op, x.numpy(), lanes, attrs), expected(x.double()).numpy(), rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 4), st.integers(1, 3), shapes, sizes, st.sampled_from([1, 2]))
def test_group_norm_is_that_of_torch(data, groups, each, image, size, threads):
    batch, lanes = size
    channels = groups * each
    assume(batch * each * np.prod(image[1:]) > 1)  # torch refuses one number
    x = normal(0, batch, channels, *image[1:])
    given = some_of(data, weight=normal(1, channels), bias=normal(2, channels))
    expected = torch.nn.functional.group_norm(x.double(), groups, *wide(given, "weight", "bias"))
    found = run("group_norm", x.numpy(), lanes, {"groups": groups}, threads, **given)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=3e-5)


def test_a_large_normalisation_is_shared_among_threads_bit_for_bit():
    x = normal(0, 1, 64, 64, 80).numpy()
    one, two = (run("group_norm", x, 1, {"groups": 32}, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


@settings(deadline=None, max_examples=60)
@given(st.data(), shapes, sizes, st.sampled_from(list(REDUCTIONS)))
def test_reductions_are_those_of_torch(data, shape, size, op):
    batch, lanes = size
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    x = normal(0, batch, *shape)
    expected = REDUCTIONS[op](x.double(), dim=[axis + 1 for axis in axes], keepdim=True).numpy()
    found = run(op, x.numpy(), lanes, {"axes": axes})
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("size", [(1, 1), (16, 16)])
@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_nan_and_infinities_are_reduced_as_torch_does(op, axes, size):
    batch, lanes = size
    x = normal(0, batch, 18, 19)
    x[:, 1, 2], x[:, 3, 4], x[:, 5, 6], x[:, 17, 18] = np.nan, np.inf, -np.inf, -np.inf
    expected = REDUCTIONS[op](x, dim=[axis + 1 for axis in axes], keepdim=True).numpy()
    np.testing.assert_allclose(run(op, x.numpy(), lanes, {"axes": axes}), expected, rtol=1e-5, atol=1e-5)
