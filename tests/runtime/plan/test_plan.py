"""Plans: random graphs over every form of tensor, what is folded, and what shares memory."""

import math
from dataclasses import replace

import graphs
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, FormatError, Graph, Shared, SparseRaw, SparseShared, infer_shapes, make_node
from dcz.runtime.execute.executor import Executor
from dcz.runtime.plan.fuse import FREE, fuse
from dcz.runtime.plan.plan import plan
from dcz.runtime.plan.target import HOST


def forms(array):
    """Every decoded form that can hold a float32 array exactly."""
    yield Dense(array, "F32")
    if array.ndim < 2:
        return
    rows = array.reshape(len(array), -1)
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(rows, axis=1))])
    indices = np.nonzero(rows)[1].astype(np.int32)
    stored = rows[rows != 0]
    yield SparseRaw(array.shape, indptr, indices, stored)
    codebook, symbols = np.unique(stored, return_inverse=True)
    if len(codebook) < 256:
        yield SparseShared(array.shape, indptr, indices, codebook, symbols.astype(np.uint8))
        codebook, symbols = np.unique(array, return_inverse=True)
        yield Shared(array.shape, codebook, symbols.reshape(-1).astype(np.uint8))


def make(graph, tensors, batch, seed=0, **options):
    """Plan a graph, each tensor in a form drawn from those that fit."""
    rng = np.random.default_rng(seed)
    decoded = {}
    for name, array in tensors.items():
        choices = list(forms(array))
        decoded[name] = choices[rng.integers(len(choices))]
    shapes = infer_shapes(graph, {name: array.shape for name, array in tensors.items()})
    return plan(graph, shapes, decoded.__getitem__, batch, **options)


def run(planned, x):
    out = np.empty((planned.batch, *planned.shapes[planned.outputs[0]]), dtype=np.float32)
    Executor(planned).run([x], [out])
    return out


def close(found, expected):
    """Within 2e-5 of the largest value: what float32 can promise over a few layers."""
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * scale)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([(1, 1), (2, 1), (5, 1), (16, 16)]))
def test_random_graphs_equal_the_interpreter(seed, size):
    batch, lanes = size
    graph, tensors = graphs.random_graph(seed)
    x = np.random.default_rng(seed).normal(size=(batch, *graph.input_shape)).astype(np.float32)
    expected = reference.run(graph, tensors, x)
    planned = make(graph, tensors, batch, seed, lanes=lanes)
    executor, out = Executor(planned), np.empty(expected.shape, dtype=np.float32)
    for _ in range(2):  # the second run finds what the first left in the arena
        executor.run([x], [out])
        close(out, expected)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), batch=st.sampled_from([1, 3]))
def test_no_value_is_overwritten_while_it_is_needed(seed, batch):
    """Write each value's number where the value lies: it must still stand there when the value is read."""
    graph, tensors = graphs.random_graph(seed)
    planned = make(graph, tensors, batch, seed)
    layout, sizes = planned.layout, [batch * int(np.prod(shape)) for shape in planned.shapes]
    memory = np.full(layout.elements, -1)

    def claim(value):
        memory[layout.values[value] : layout.values[value] + sizes[value]] = value

    def holds(value):
        return memory[layout.values[value] : layout.values[value] + sizes[value]]

    same = {0: {0}}  # values whose numbers may stand where this value is read
    claim(0)
    for step, scratch in zip(planned.steps, layout.scratch, strict=True):
        use = step.use
        for value in use.reads:
            assert set(holds(value)) <= same[value]
        memory[scratch : scratch + use.scratch] = -1
        claim(use.makes)
        if use.view or use.joins:  # one memory, one more name, for all that have had it so far
            known = set().union(*(same[value] for value in use.reads))
            for names in same.values():
                names |= {use.makes} if names & known else set()
        same[use.makes] = {use.makes}
    assert set(holds(planned.outputs[0])) <= same[planned.outputs[0]]


ACTIVATIONS = {FREE: "none", (0, math.inf): "relu", (0, 6): "relu6"}


def layers(graph):
    channel = dict.fromkeys("mvgb", (3,))
    return fuse(graph, infer_shapes(graph, {"w": (3, 3, 3, 3), "k": (3, 1, 1), **channel}))


def ops(graph):
    return [(layer.node.op, ACTIVATIONS[layer.limits]) for layer in layers(graph)]


def conv_nodes(*more):
    """A 3x3 convolution that keeps the shape, then more nodes."""
    conv = make_node("conv2d", (0,), {"weight": "w", "bias": "b"}, {"padding": (1, 1)})
    return Graph((3, 6, 6), (conv, *more), 1 + len(more))


NORM = {"running_mean": "m", "running_var": "v", "weight": "g", "bias": "b"}


def test_normalisation_sum_and_activation_are_folded():
    graph = conv_nodes(make_node("batch_norm", (1,), NORM), make_node("add", (0, 2)), make_node("relu6", (3,)))
    (layer,) = layers(graph)
    assert (layer.node.op, layer.inputs, layer.output) == ("conv2d", (0,), 4)
    assert (len(layer.norms), layer.residual, layer.limits) == (1, 0, (0, 6))


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("name", ["k", "g"])
@pytest.mark.parametrize("last", [False, True])
def test_arithmetic_with_constants_is_folded_where_it_goes_by_channel(op, name, last, lanes):
    """A constant of shape (3, 1, 1) does; one of shape (6,) meets columns."""
    operands = (2, 3) if last else (3, 2)
    nodes = [
        make_node("affine", (1,), attrs={"scale": 0.5, "shift": -3.0}),
        make_node("constant", (), {"value": name}),
        make_node(op, operands),
        make_node("clamp", (4,), attrs={"low": -1.0, "high": 2.5}),
    ]
    graph, rng = conv_nodes(*nodes), np.random.default_rng(0)
    tensors = {"w": rng.normal(size=(3, 3, 3, 3)), "b": rng.normal(size=3), "k": rng.normal(size=(3, 1, 1))}
    tensors = {key: array.astype(np.float32) for key, array in (tensors | {"g": np.arange(1, 7)}).items()}
    planned = make(graph, tensors, lanes, lanes=lanes)
    folds = name == "k" and (op != "div" or last)
    assert [step.op for step in planned.steps] == (["conv2d"] if folds else ["conv2d", op])
    x = rng.normal(size=(lanes, *graph.input_shape)).astype(np.float32)
    close(run(planned, x), reference.run(graph, tensors, x))


def test_a_sum_that_broadcasts_is_no_residual():
    graph = conv_nodes(make_node("slice", (0,), attrs={"axis": 0, "stop": 1}), make_node("add", (1, 2)))
    assert [layer.node.op for layer in layers(graph)] == ["conv2d", "slice", "add"]


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ([make_node("relu", (1,)), make_node("batch_norm", (2,), NORM)], [("conv2d", "relu"), ("batch_norm", "none")]),
        ([make_node("relu", (1,)), make_node("relu6", (2,))], [("conv2d", "relu"), ("relu6", "none")]),
        ([make_node("relu", (1,)), make_node("add", (2, 0))], [("conv2d", "relu"), ("add", "none")]),
        ([make_node("add", (1, 0)), make_node("batch_norm", (2,), NORM)], [("conv2d", "none"), ("batch_norm", "none")]),
        ([make_node("add", (1, 1)), make_node("relu", (2,))], [("conv2d", "none"), ("add", "relu")]),
        ([make_node("relu", (1,)), make_node("add", (1, 2))], [("conv2d", "none"), ("relu", "none"), ("add", "none")]),
        ([make_node("relu", (0,)), make_node("add", (2, 1))], [("relu", "none"), ("conv2d", "none")]),
        ([make_node("softmax", (0,))], [("softmax", "none")]),
    ],
)
def test_what_has_another_reader_or_order_stays_on_its_own(more, left):
    assert ops(conv_nodes(*more)) == left


PAIRS = {"kernel": (2, 2), "stride": (2, 2)}


@pytest.mark.parametrize("kernel", [(2, 2), (3, 3)])
def test_pooling_of_windows_two_apart_is_folded(kernel):
    pool = make_node("max_pool2d", (2,), {}, PAIRS | {"kernel": kernel})
    graph = conv_nodes(make_node("relu", (1,)), pool, make_node("relu", (3,)))
    layer, after = layers(graph)
    assert (layer.node.op, layer.limits, layer.pooled, layer.output) == ("conv2d", (0, math.inf), 2, 3)
    assert layer.pool is not None
    assert layer.pool.op == "max_pool2d"
    assert after.node.op == "relu"


@pytest.mark.parametrize("lanes", [1, 16])
def test_a_convolution_pools_where_its_kernel_can_and_it_pays(monkeypatch, lanes):
    nodes = [
        make_node("conv2d", (0,), {"weight": "w"}, {"padding": (1, 1)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), {}, PAIRS),
    ]
    graph, rng = Graph((16, 21, 30), tuple(nodes), 3), np.random.default_rng(0)
    tensors = {"w": rng.standard_normal((32, 16, 3, 3)).astype(np.float32)}
    x = rng.standard_normal((lanes, *graph.input_shape)).astype(np.float32)
    one = make(graph, tensors, lanes, lanes=lanes)
    monkeypatch.setenv("DCZ_WINOGRAD", "0")
    two = make(graph, tensors, lanes, lanes=lanes)
    assert [step.op for step in one.steps] == ["conv2d"]
    assert [step.op for step in two.steps] == (["conv2d", "max_pool2d"] if lanes == 1 else ["conv2d"])
    close(run(one, x), run(two, x))


@pytest.mark.parametrize("lanes", [1, 16])
def test_windows_that_overlap_are_pooled_by_a_kernel_on_words(lanes):
    nodes = [
        make_node("conv2d", (0,), {"weight": "w"}, {"stride": (2, 2)}),
        make_node("relu", (1,)),
        make_node("max_pool2d", (2,), {}, {"kernel": (3, 3), "stride": (2, 2), "ceil_mode": True}),  # changes nothing
    ]
    graph, rng = Graph((3, 59, 63), tuple(nodes), 3), np.random.default_rng(0)
    tensors = {"w": rng.standard_normal((8, 3, 7, 7)).astype(np.float32)}
    x = rng.standard_normal((lanes, *graph.input_shape)).astype(np.float32)
    exact = make(graph, tensors, lanes, lanes=lanes)
    words = replace(HOST, words=True, strip_columns=(2,), word_registers=9)
    rounded = make(graph, tensors, lanes, target=words)
    assert [step.op for step in exact.steps] == ["conv2d", "max_pool2d"]
    assert [step.kernel for step in rounded.steps] == ["conv_words_strips"]
    wanted = run(exact, x)
    assert np.abs(run(rounded, x) - wanted).max() < 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("change", [{"kernel": (3, 2)}, {"stride": (1, 2)}, {"padding": (1, 0)}, {"ceil_mode": True},
                                    {"kernel": (3, 3), "ceil_mode": True}])  # fmt: skip
def test_other_pooling_stays_on_its_own(change):
    graph = conv_nodes(make_node("max_pool2d", (1,), {}, PAIRS | change))
    assert [layer.node.op for layer in layers(graph)] == ["conv2d", "max_pool2d"]


def test_a_sum_is_not_pooled():
    graph = conv_nodes(make_node("add", (1, 0)), make_node("max_pool2d", (2,), {}, PAIRS))
    assert [layer.node.op for layer in layers(graph)] == ["conv2d", "max_pool2d"]


def test_of_two_convolutions_the_later_takes_the_sum():
    second = make_node("conv2d", (0,), {"weight": "w"}, {"padding": (1, 1)})
    first, folded = layers(conv_nodes(second, make_node("add", (1, 2))))
    assert (first.output, first.residual) == (1, None)
    assert (folded.output, folded.residual) == (3, 1)


def test_a_graph_whose_output_comes_early():
    early = conv_nodes(make_node("relu", (1,)), make_node("flatten", (2,)))
    assert ops(Graph(early.input_shape, early.nodes, 1)) == [("conv2d", "none")]


def test_the_option_a_shortcut_is_one_copy():
    """He et al. 2015, section 4.2: every second pixel, zeros for the new channels."""
    nodes = (
        make_node("slice", (0,), attrs={"axis": 1, "stop": 6, "step": 2}),
        make_node("slice", (1,), attrs={"axis": 2, "stop": 6, "step": 2}),
        make_node("pad", (2,), attrs={"before": (1, 0, 0), "after": (2, 0, 0)}),
    )
    graph = Graph((3, 6, 6), nodes, 3)
    assert ops(graph) == [("pad", "none")]
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    found = run(make(graph, {}, 2), x)
    np.testing.assert_array_equal(found[:, 1:4], x[:, :, ::2, ::2])
    assert not found[:, [0, 4, 5]].any()


def test_a_concatenation_of_one_sample_copies_nothing():
    nodes = (
        make_node("relu", (0,)),
        make_node("relu6", (0,)),
        make_node("concat", (1, 2)),
        make_node("flatten", (3,)),
    )
    planned = make(Graph((2, 3, 3), nodes, 4), {}, 1)
    offsets = planned.layout.values
    assert (offsets[1], offsets[2]) == (offsets[3], offsets[3] + 18)
    assert offsets[4] == offsets[3]
    assert len(Executor(planned)._calls) == 2


def test_side_by_side_a_concatenation_of_channels_copies_nothing():
    nodes = make_node("relu", (0,)), make_node("relu6", (0,)), make_node("concat", (1, 2))
    planned = make(Graph((2, 3, 3), nodes, 3), {}, 16, lanes=16)
    offsets = planned.layout.values
    assert (offsets[1], offsets[2]) == (offsets[3], offsets[3] + 16 * 18)
    assert len(Executor(planned)._calls) == 2


def test_elementwise_steps_work_in_place():
    nodes = [make_node("softmax", (0,))]
    for value in range(1, 20):
        nodes.append(make_node("relu" if value % 2 else "relu6", (value,)))
    planned = make(Graph((64,), tuple(nodes), 20), {}, 1)
    assert planned.layout.elements == 128


def test_memory_is_used_again():
    nodes = tuple(make_node("softmax", (value,)) for value in range(50))
    assert make(Graph((64,), nodes, 50), {}, 3).layout.elements == 2 * 3 * 64


def test_a_broken_normalisation_gives_nan_without_a_warning():
    tensors = {"m": np.zeros(2), "v": np.array([-1.0, 1.0])}
    graph = Graph((2,), (make_node("batch_norm", (0,), {"running_mean": "m", "running_var": "v"}),), 1)
    found = run(make(graph, {n: a.astype(np.float32) for n, a in tensors.items()}, 1), np.ones((1, 2)))
    assert np.isnan(found[0, 0])
    assert np.isfinite(found[0, 1])


def test_bfloat16_and_float16_parameters():
    values = np.array([1.5, -2.0, 0.25], dtype=np.float32)
    weight = {
        "F16": Dense(values[None].astype(np.float16), "F16"),
        "BF16": Dense((values[None].view(np.uint32) >> 16).astype(np.uint16), "BF16"),
        "F64": Dense(values[None].astype(np.float64), "F64"),
    }
    bias = Dense((np.array([3.0], dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16), "BF16")
    graph = Graph((3,), (make_node("linear", (0,), {"weight": "w", "bias": "b"}),), 1)
    for tensor in weight.values():
        tensors = {"w": tensor, "b": bias}
        planned = plan(graph, [(3,), (1,)], tensors.__getitem__, 1)
        assert run(planned, np.ones((1, 3))).item() == 2.75


def test_a_plan_does_not_depend_on_the_threads_that_pack_it():
    graph, tensors = graphs.random_graph(3, nodes=40)
    one, three = (make(graph, tensors, 1, packers=packers) for packers in (1, 3))
    assert one.layout == three.layout
    assert [step.kernel for step in one.steps] == [step.kernel for step in three.steps]
    x = np.random.default_rng(0).normal(size=(1, *graph.input_shape)).astype(np.float32)
    assert run(one, x).tobytes() == run(three, x).tobytes()


def test_no_small_graph_takes_much_memory():
    """Each part waits in the place of a concatenation 2^27 long, though few values are needed at a time."""
    count, size = 9, 1 << 27
    nodes = [make_node("relu", (0,)) for _ in range(count)]
    total = 0
    for part in range(1, count + 1):
        nodes.append(make_node("pad", (0,), attrs={"before": (0,), "after": (size - 2,)}))
        nodes.append(make_node("concat", (part, len(nodes))))
        nodes.append(make_node("slice", (len(nodes),), attrs={"axis": 0, "stop": 1}))
        nodes.append(make_node("add", (total, len(nodes))))
        total = len(nodes)
    with pytest.raises(FormatError, match="too much memory"):
        make(Graph((1,), tuple(nodes), total), {}, 1)
