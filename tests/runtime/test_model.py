"""Whole networks against the float64 interpreter, and what a caller may rely on."""

import copy
import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import graphs
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import dcz
from dcz.dcformat import Graph, make_node, write
from dcz.runtime import slices as slices_module


def save(path, graph, tensors, **extra):
    write(path, graph, tensors, **extra)
    return path


def close(found, expected):
    """Within 1e-5 of the largest value: what float32 can promise over a few layers."""
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * scale)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def network(folder):
    """A small network with a residual, a concatenation and pooling, its tensors, and a batch."""
    b = graphs.Builder(np.random.default_rng(3), (3, 12, 12))
    first = b.node(
        "relu", [graphs.norm(b, b.node("conv2d", [0], {"weight": b.sparse(6, 3, 3, 3)}, {"padding": (1, 1)}), (6,))]
    )
    second = b.node("conv2d", [first], {"weight": b.sparse(6, 6, 3, 3)}, {"padding": (1, 1)})
    joined = b.node("concat", [b.node("relu", [b.node("add", [second, first])]), first])
    pooled = b.node("max_pool2d", [joined], attrs={"kernel": (3, 3), "stride": (2, 2), "ceil_mode": True})
    flat = b.node("flatten", [b.node("adaptive_avg_pool2d", [pooled])])
    out = b.node("linear", [flat], {"weight": b.sparse(4, 12), "bias": b.normal(4)})
    graph = Graph((3, 12, 12), tuple(b.nodes), out)
    path = save(folder / "network.dcz", graph, b.tensors, labels=["a", "b", "c", "d"])
    batch = b.normal(37, 3, 12, 12).astype(np.float32)
    return path, batch, reference.run(graph, b.tensors, batch)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), batch=st.sampled_from([1, 2, 7, 21]))
def test_random_graphs_equal_the_interpreter(folder, seed, batch):
    graph, tensors = graphs.random_graph(seed)
    model = dcz.load(save(folder / "random.dcz", graph, tensors), threads=2)
    x = np.random.default_rng(seed).normal(size=(batch, *graph.input_shape)).astype(np.float32)
    found = model(x)
    close(found, reference.run(graph, tensors, x))
    close(np.concatenate([model(sample[None]) for sample in x]), found)


def test_answers_equal_the_interpreter(network):
    path, batch, expected = network
    close(dcz.load(path)(batch), expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_do_not_depend_on_threads(network, threads):
    path, batch, _ = network
    one, model = dcz.load(path, threads=1), dcz.load(path, threads=threads)
    for samples in (1, 5, 15, 16, 20, 37):
        np.testing.assert_array_equal(model(batch[:samples]), one(batch[:samples]))


@pytest.mark.parametrize("size", [1, 3, 15, 16, 20])
def test_batches_change_rounding_alone(network, size):
    path, batch, expected = network
    model = dcz.load(path, threads=2)
    parts = [model(batch[i : i + size]) for i in range(0, len(batch), size)]
    close(np.concatenate(parts), expected)
    if size < 16:  # one by one or a few at a time: the same bits
        single = np.concatenate([model(batch[i : i + 1]) for i in range(len(batch))])
        np.testing.assert_array_equal(np.concatenate(parts), single)


def test_many_threads_at_once(network):
    path, batch, _ = network
    model = dcz.load(path, threads=2)
    pieces = [batch[i : i + 1 + i % 5] for i in range(30)]
    alone = [model(piece) for piece in pieces]
    with ThreadPoolExecutor(6) as callers:
        for _ in range(3):
            for found, expected in zip(callers.map(model, pieces), alone, strict=True):
                np.testing.assert_array_equal(found, expected)


def test_input_is_kept_and_results_are_fresh(network):
    path, batch, _ = network
    model = dcz.load(path)
    given_batch = batch[:2].copy()
    given_batch.flags.writeable = False
    first = model(given_batch)
    kept = first.copy()
    model(batch[5:7])
    np.testing.assert_array_equal(given_batch, batch[:2])
    np.testing.assert_array_equal(first, kept)


def test_convertible_inputs(network):
    path, batch, _ = network
    model = dcz.load(path)
    whole = np.round(batch[:3] * 10)
    expected = model(whole)
    for same in (whole.astype(np.float64), whole.astype(np.float16), whole.tolist(), np.asfortranarray(whole)):
        np.testing.assert_array_equal(model(same), expected)
    wide = np.repeat(whole, 2, axis=3)[..., ::2]
    np.testing.assert_array_equal(model(wide), expected)


def test_empty_batch(network):
    path, batch, _ = network
    assert dcz.load(path)(batch[:0]).shape == (0, 4)


def test_nan_and_infinity_pass_through(network):
    path, batch, expected = network
    poisoned = batch[:3].copy()
    poisoned[1, 0, 4, 4] = np.nan
    found = dcz.load(path)(poisoned)
    assert np.isnan(found[1]).all()
    close(found[[0, 2]], expected[[0, 2]])


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.zeros((3, 12, 12)), r"wrong shape \(expected \(N, 3, 12, 12\), found \(3, 12, 12\)\); add a batch axis"),
        (np.zeros((2, 3, 12, 11)), r"expected \(N, 3, 12, 12\), found \(2, 3, 12, 11\)"),
        (np.zeros(()), r"wrong shape"),
        (np.zeros((1, 3, 12, 12), complex), r"not made of real numbers \(expected float32, found complex128\)"),
        (np.full((1, 3, 12, 12), "x"), r"not made of real numbers"),
        ([[1.0], [1.0, 2.0]], r"not an array: .*inhomogeneous"),
    ],
)
def test_bad_batches(network, bad, text):
    with pytest.raises(dcz.InputError, match=text):
        dcz.load(network[0])(bad)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.bool_], ids=lambda t: t.__name__
)
def test_pixels_are_no_samples(network, dtype):
    frames = np.zeros((2, 3, 12, 12), dtype)
    model = dcz.load(network[0])
    for call in (model, model.time_layers):
        with pytest.raises(
            dcz.InputError, match=rf"holds integers.*expected float32, found {dtype.__name__}.*preprocess"
        ):
            call(frames)


def test_attributes(network):
    path, batch, _ = network
    model = dcz.load(path, threads=2)
    assert (model.input_shape, model.output_shape, model.threads) == ((3, 12, 12), (4,), 2)
    assert model.labels == ["a", "b", "c", "d"]
    stats = model.stats
    assert stats["file_bytes"] == path.stat().st_size
    assert stats["weight_bytes"] == sum(layer["weight_bytes"] for layer in stats["layers"]) > 0
    assert stats["arena_bytes"] >= 4 * batch[0].size
    assert stats["layers"][0]["op"] == "conv2d"
    assert min(stats["open_seconds"], stats["plan_seconds"]) > 0


def test_threads_must_be_positive(network):
    with pytest.raises(dcz.InputError, match="threads"):
        dcz.load(network[0], threads=0)


def test_large_activations_are_not_sliced_into_batches(network, monkeypatch):
    for limit, sizes in ((slices_module.ARENA_LIMIT, {16, 4, 1}), (0, {1})):
        monkeypatch.setattr(slices_module, "ARENA_LIMIT", limit)
        model = dcz.load(network[0], threads=1)
        assert {size for _, size in model._engine.slices(37)} == sizes


def test_slices_cover_the_batch(network):
    for threads in (1, 2, 8):
        model = dcz.load(network[0], threads=threads)
        for samples in range(70):
            covered = [i for start, size in model._engine.slices(samples) for i in range(start, start + size)]
            assert covered == list(range(samples))


def test_weights_only_containers_say_so(tmp_path):
    path = save(tmp_path / "weights.dcz", None, {"w": np.ones(3, np.float32)})
    with pytest.raises(dcz.FormatError, match=r"weights\.dcz: .*no graph.*--arch"):
        dcz.load(path)


def test_a_graph_without_nodes(tmp_path):
    model = dcz.load(save(tmp_path / "nothing.dcz", Graph((3,), (), 0), {}))
    np.testing.assert_array_equal(model([[1.0, 2, 3]]), [[1, 2, 3]])


def scoring(path, *nodes, labels=None):
    return dcz.load(save(path, Graph((4,), tuple(nodes), len(nodes)), {}, labels=labels))


def test_predictions_are_probabilities(tmp_path):
    scores = np.array([1.0, 3.0, 3.0, 0.0], dtype=np.float32)
    expected = np.exp(scores) / np.exp(scores).sum()
    softmaxes = {
        "plain": (),
        "softmax": (make_node("softmax", (0,)), make_node("flatten", (1,))),
        "log": (make_node("softmax", (0,), attrs={"log": True}),),
    }
    for name, nodes in softmaxes.items():
        model = scoring(tmp_path / f"{name}.dcz", *nodes)
        (answer,) = model.predict([scores], top=3)
        assert [p.index for p in answer] == [1, 2, 0]
        assert [p.label for p in answer] == ["1", "2", "0"]
        np.testing.assert_allclose([p.score for p in answer], expected[[1, 2, 0]], rtol=1e-6)


def test_predictions_carry_labels_and_names(tmp_path):
    model = scoring(tmp_path / "labelled.dcz", labels=["cat", "dog", "owl", "bat"])
    batch = np.eye(4, dtype=np.float32)[[2, 0, 3]]
    np.save(tmp_path / "batch.npy", batch)
    np.save(tmp_path / "one.npy", batch[0])
    paths = [tmp_path / "one.npy", tmp_path / "batch.npy"]
    answers = list(model.classify(paths, top=1, batch_size=2))
    many = str(tmp_path / "batch.npy")
    assert [name for name, _ in answers] == [str(paths[0]), f"{many}[0]", f"{many}[1]", f"{many}[2]"]
    assert [answer[0].label for _, answer in answers] == ["owl", "owl", "cat", "bat"]
    assert model.predict(paths[0], top=9)[0][0] == model.predict(paths[:1], top=1)[0][0]
    with pytest.raises(dcz.InputError, match="positive"):
        model.predict(paths, top=0)


def test_an_item_that_cannot_be_read_is_an_answer_with_its_error(tmp_path):
    model = scoring(tmp_path / "labelled.dcz")
    items = [np.eye(4, dtype=np.float32), np.zeros(3, np.float32), tmp_path / "none.npy", np.ones(4, np.float32)]
    answers = list(model.answers(items, top=1, batch_size=3))
    names = [f"image 0[{i}]" for i in range(4)] + ["image 1", str(tmp_path / "none.npy"), "image 3"]
    assert [answer.name for answer in answers] == names
    assert [len(answer.predictions) for answer in answers] == [1, 1, 1, 1, 0, 0, 1]
    assert "does not fit" in str(answers[4].error)
    assert "none.npy: no such file" in str(answers[5].error)
    with pytest.raises(dcz.InputError, match=r"image 1: .*does not fit"):
        model.predict(items)


def test_preprocess_gives_a_batch(small_container):
    model = dcz.load(small_container)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    batch = model.preprocess(images)
    assert batch.shape == (5, 1, 8, 8)
    np.testing.assert_allclose(batch[:, 0], (images[..., 0] / 255 - 0.5) / 0.25, atol=1e-6)
    assert model.preprocess([]).shape == (0, 1, 8, 8)
    assert len(model.predict(images, top=2)) == 5


def test_one_image_in_an_array_is_one_answer(small_container):
    model = dcz.load(small_container)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    (answer,) = model.predict(pixels)
    assert [answer] == model.predict([pixels])
    assert model.preprocess(pixels).shape == (1, 1, 8, 8)
    with pytest.raises(dcz.InputError, match=r"one image or several .*found shape \(3, 9, 8\)"):
        model.predict(np.moveaxis(pixels, -1, 0))


def test_a_run_warns_once_of_answers_that_are_nan(tmp_path, caplog):
    model = scoring(tmp_path / "plain.dcz")
    batch = np.ones((9, 4), np.float32)
    batch[[2, 5]] = np.nan
    answers = model.predict(batch, batch_size=2)
    assert [np.isnan(answer[0].score) for answer in answers] == np.isnan(batch[:, 0]).tolist()
    assert caplog.messages == ["NaN in 2 of 9 answers: image 0[2], image 0[5]"]


def test_an_infinite_score_ranks_first(tmp_path):
    (answer,) = scoring(tmp_path / "plain.dcz").predict(np.array([1, -np.inf, np.inf, 9], np.float32))
    assert [(one.index, one.score) for one in answer] == [(2, 1), (0, 0), (1, 0), (3, 0)]


def test_a_container_comes_as_path_bytes_or_file(network):
    path, batch, _ = network
    expected, content = dcz.load(path)(batch[:3]), path.read_bytes()
    with open(path, "rb") as file:
        file.seek(100)  # a container is a whole file
        for source in (content, bytearray(content), memoryview(content), io.BytesIO(content), file):
            np.testing.assert_array_equal(dcz.load(source)(batch[:3]), expected)
        assert not file.closed
    with open(path) as text, pytest.raises(dcz.InputError, match=r"network\.dcz: file is open as text"):
        dcz.load(text)
    with pytest.raises(dcz.FormatError, match=r"^<bytes>: "):
        dcz.load(content[:-1])
    assert repr(dcz.load(path)) == f"<dcz.Model {str(path)!r}: (3, 12, 12) -> (4,)>"
    assert repr(dcz.load(content)) == "<dcz.Model '<bytes>': (3, 12, 12) -> (4,)>"


def test_a_model_is_pickled_by_where_it_came_from(network, tmp_path, monkeypatch):
    path, batch, _ = network
    monkeypatch.chdir(path.parent)
    model = dcz.load(path.name, threads=3, tuning=tmp_path / "tuning.json")
    expected = model(batch)  # before the other reads which kernels were fastest
    packed = pickle.dumps(model)
    assert len(packed) < 500, "not the weights"
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(packed)
    assert (again.threads, repr(again), again.labels) == (3, repr(model), model.labels)
    assert again._engine._tuning._picks == model._engine._tuning._picks != {}
    np.testing.assert_array_equal(again(batch), expected)
    np.testing.assert_array_equal(copy.deepcopy(again)(batch), expected)


def test_a_model_of_bytes_is_pickled_with_them(network):
    path, batch, _ = network
    for source in (path.read_bytes(), io.BytesIO(path.read_bytes())):
        packed = pickle.dumps(dcz.load(source, threads=1))
        np.testing.assert_array_equal(pickle.loads(packed)(batch[:2]), dcz.load(path)(batch[:2]))


def test_loading_imports_no_framework(small_container):
    code = (
        "import sys\n"
        "for name in ('torch', 'sklearn'): sys.modules[name] = None\n"
        "import dcz, numpy as np\n"
        f"print(dcz.load({str(small_container)!r})(np.zeros((2, 1, 8, 8))).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(2, 3)\n"
