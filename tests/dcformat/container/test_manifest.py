import json
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from containers import deflate
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, IDS, OpCase
from op_cases import network as op_network

from dcz.dcformat import OPS, FormatError, Graph, Input, Output, Preprocess, Quantization, Range, TensorEntry, make_node
from dcz.dcformat.container.layout import HEADER_BYTES, plan_layout
from dcz.dcformat.container.manifest import (
    DICTIONARY,
    Manifest,
    Section,
    pack_json,
    pack_labels,
    pack_manifest,
    unpack_json,
    unpack_labels,
    unpack_manifest,
)
from dcz.dcformat.encoding.table import Encoding
from dcz.dcformat.tensors import DTYPES


def through(manifest: Manifest) -> Manifest:
    return unpack_manifest(pack_manifest(manifest), 1 << 20)


def text_of(manifest: Manifest) -> Any:
    return json.loads(zlib.decompressobj(-15, DICTIONARY).decompress(pack_manifest(manifest)))


ENTRIES = (
    TensorEntry("w", (6, 1, 3, 3), Encoding.SPARSE_SHARED),
    TensorEntry("c", (6,)),
    TensorEntry("m", (6, 4)),
    TensorEntry("other", (2, 3), Encoding.SHARED, "F16"),
    TensorEntry("counter", (), Encoding.RAW, "I64"),
    TensorEntry("empty", (0, 5), Encoding.RAW, "BF16"),
)
SECTIONS = (Section(100, 1, 4), Section(0, (1 << 32) - 1, 2))


def network() -> Graph:
    """Ops of every family, tensors shared, a value read twice."""
    channel = {"running_mean": "c", "running_var": "c"}
    square = {"kernel": (3, 2), "stride": (1, 2), "padding": (1, 1), "ceil_mode": True}
    nodes = (
        make_node(
            "conv2d",
            (0,),
            {"weight": "w", "bias": "c"},
            {"stride": (2, 1), "padding": (2, 1), "dilation": (1, 2), "groups": 3},
        ),  # 1
        make_node("batch_norm", (1,), {**channel, "bias": "c"}, {"eps": 0.25}),
        make_node("batch_norm", (1,), {**channel, "weight": "c", "bias": "c"}),
        make_node("relu", (2,)),
        make_node("relu6", (3,)),
        make_node("add", (4, 5)),  # 6
        make_node("max_pool2d", (6,), attrs={**square, "dilation": (2, 1)}),
        make_node("avg_pool2d", (6,), attrs={**square, "count_include_pad": False}),
        make_node("adaptive_avg_pool2d", (7,), attrs={"output": (2, 3)}),
        make_node("adaptive_max_pool2d", (8,), attrs={"output": (2, 3)}),
        make_node("concat", (9, 10, 9), attrs={"axis": 1}),  # (6, 6, 3)
        make_node("slice", (11,), attrs={"axis": 1, "start": 1, "stop": 6, "step": 4}),  # (6, 2, 3)
        make_node("pad", (12,), attrs={"before": (0, 1, 0), "after": (0, 0, 1)}),  # (6, 3, 4)
        make_node("softmax", (13,), attrs={"axis": 2, "log": True}),
        make_node("slice", (14,), attrs={"axis": 0, "stop": 1}),
        make_node("slice", (15,), attrs={"axis": 1, "stop": 1}),
        make_node("flatten", (16,)),
        make_node("linear", (17,), {"weight": "m"}),
        make_node("leaky_relu", (18,), attrs={"negative_slope": -0.5}),
        make_node("sin", (19,)),
    )
    return Graph((3, 12, 16), nodes, 17)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_each_op_round_trips(case: OpCase) -> None:
    graph, tensors = op_network(case)
    entries = tuple(TensorEntry(name, value.shape) for name, value in tensors.items())
    manifest = Manifest(graph, entries, (Section(0, 0, len(entries)),))
    assert through(manifest) == manifest


def test_every_attribute_is_written() -> None:
    nodes = [*network().nodes, *(node for case in CASES for node in op_network(case)[0].nodes)]
    for op, spec in OPS.items():
        for name, default in spec.attrs.items():
            values = [node.attrs[name] for node in nodes if node.op == op]
            assert any(value != default for value in values), f"no case has another {name} of {op}"


def test_round_trip() -> None:
    manifest = Manifest(
        network(),
        ENTRIES,
        SECTIONS,
        Preprocess(mode="L", mean=(0.5,), std=(2.0,)),
        Section(9, 7, 0),
        {"b": "ü\n", "a": ""},
        {"m, too": "m", "": "w"},
    )
    assert through(manifest) == manifest
    assert through(Manifest(None, (), ())) == Manifest(None, (), ())


@pytest.mark.parametrize(("op", "version"), [("relu", 0), ("leaky_relu", 1), ("sin", 2)])
def test_a_file_states_the_version_that_its_newest_op_needs(op: str, version: int) -> None:
    graph = Graph((3,), (make_node("relu", (0,)), make_node(op, (1,)), make_node("relu", (2,))), 3)
    assert Manifest(graph, (), ()).minor_version == OPS[op].minor_version == version
    assert Manifest(None, (), ()).minor_version == 0


@pytest.mark.parametrize(("shape", "version"), [((4,), 0), ((7, 4), 1)])
def test_a_form_of_an_op_may_be_newer_than_the_op(shape: tuple[int, ...], version: int) -> None:
    graph = Graph(shape, (make_node("linear", (0,), {"weight": "w"}),), 1)
    assert Manifest(graph, (TensorEntry("w", (3, 4)),), (Section(0, 0, 1),)).minor_version == version


def test_a_sum_of_two_shapes_needs_the_newer_version() -> None:
    nodes = (make_node("slice", (0,), attrs={"axis": 0, "stop": 1}), make_node("add", (0, 1)))
    assert Manifest(Graph((3, 4), nodes, 2), (), ()).minor_version == 1
    assert Manifest(Graph((3, 4), (make_node("add", (0, 0)),), 1), (), ()).minor_version == 0


def ends_by_name() -> Graph:
    """Inputs and outputs by name: a value that two outputs have, an input that is one."""
    inputs = Input((3,), "x"), Input((3, 2), "ids", "I64")
    nodes = make_node("relu", (0,)), make_node("flatten", (1,)), make_node("relu", (3,))
    return Graph(inputs, nodes, (Output(2, "a"), Output(2, "b"), Output(1, "ids")))


@pytest.mark.parametrize(
    "graph",
    [
        ends_by_name(),
        Graph((Input((3,), "x"),), (), 0),
        Graph((Input((3,), dtype="I64"),), (), 0),
        Graph((3,), (make_node("relu", (0,)),), (Output(1, "y"),)),
    ],
)
def test_inputs_and_outputs_by_name_need_the_newer_version(graph: Graph) -> None:
    manifest = Manifest(graph, (), ())
    assert through(manifest) == manifest
    assert manifest.minor_version == 1


def test_how_inputs_and_outputs_by_name_are_written() -> None:
    assert text_of(Manifest(ends_by_name(), (), ()))["graph"] == {
        "input": [["x", [3]], ["ids", [3, 2], "I64"]],
        "nodes": [["relu", [], {}, [0]], ["flatten", [], {}, [1]], ["relu"]],
        "output": [["a", 2], ["b", 2], ["ids", 1]],
    }


def quantized() -> Manifest:
    nodes = (make_node("conv2d", (0,), {"weight": "w"}, {"groups": 3}), make_node("relu", (1,)))
    quantization = Quantization(
        {0: Range(0.25, 128), 2: Range(float(np.float32(0.1)), 0)},
        {"w": np.array([0.1, 1e-9, 3, 0.5, 0.123456789, 2**-100], np.float32)},
        {1: np.array([0, 0.1, -2, 0, 0, 1], np.float32)},
    )
    return Manifest(Graph((3, 8, 8), nodes, 2, quantization), ENTRIES[:1], (Section(0, 0, 1),))


def test_quantization_round_trips_and_needs_the_newer_version() -> None:
    manifest = quantized()
    assert through(manifest) == manifest
    assert manifest.graph is not None
    plain = replace(manifest, graph=replace(manifest.graph, quantization=None))
    assert (manifest.minor_version, plain.minor_version) == (1, 0)
    assert through(manifest) != plain
    assert manifest.graph.renamed({"w": "v"}).renamed({"v": "w"}) == manifest.graph


def test_how_quantization_is_written() -> None:
    text = text_of(quantized())
    assert list(text)[-1] == "quantization"
    assert text["quantization"] == {
        "values": [[0, 0.25, 128], [2, 0.1, 0]],
        "weights": [[0, [0.1, 1e-09, 3.0, 0.5, 0.12345679, 7.888609e-31]]],
        "corrections": [[1, [0.0, 0.1, -2.0, 0.0, 0.0, 1.0]]],
    }


def test_tied_names_are_written_as_indices() -> None:
    manifest = Manifest(None, ENTRIES, SECTIONS, tied={"again": "m", "": "w"})
    assert text_of(manifest)["tied"] == {"again": 2, "": 0}
    assert list(text_of(manifest))[-1] == "tied"
    assert "tied" not in text_of(Manifest(None, ENTRIES, SECTIONS))


def test_each_node_round_trips_alone_with_defaults() -> None:
    graph = Graph((3, 12, 16), network().nodes[:1], 1)
    assert through(Manifest(graph, ENTRIES, SECTIONS)).graph == graph
    graph = Graph((3,), (make_node("relu", (0,)),), 0)
    assert through(Manifest(graph, (), ())).graph == graph


def test_defaults_are_left_out() -> None:
    nodes = (
        make_node("conv2d", (0,), {"weight": "w"}, {"groups": 3}),
        make_node("relu", (1,)),
        make_node("add", (1, 2)),
        make_node("softmax", (3,)),
    )
    manifest = Manifest(Graph((3, 8, 8), nodes, 4), ENTRIES, SECTIONS)
    assert text_of(manifest) == {
        "graph": {
            "input": [3, 8, 8],
            "nodes": [["conv2d", [0], {"groups": 3}], ["relu"], ["add", [], {}, [1, 2]], ["softmax"]],
        },
        "tensors": [
            ["w", [6, 1, 3, 3], "sparse_shared"],
            ["c", [6]],
            ["m", [6, 4]],
            ["other", [2, 3], "shared", "F16"],
            ["counter", [], "raw", "I64"],
            ["empty", [0, 5], "raw", "BF16"],
        ],
        "sections": [[100, 1, 4], [0, (1 << 32) - 1, 2]],
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encoding", Encoding)
def test_every_dtype_and_encoding(dtype: str, encoding: Encoding) -> None:
    manifest = Manifest(None, (TensorEntry("t", (2, 0, 3), encoding, dtype),), (Section(0, 0, 1),))
    assert through(manifest) == manifest


@given(
    st.dictionaries(st.text(), st.text(), max_size=4), st.lists(st.text(), unique=True, max_size=6), st.lists(st.text())
)
def test_any_text_round_trips(metadata: dict[str, str], names: list[str], labels: list[str]) -> None:
    manifest = Manifest(
        None, tuple(TensorEntry(name, ()) for name in names), (Section(1, 1, len(names)),), metadata=metadata
    )
    assert through(manifest) == manifest
    assert unpack_labels(pack_labels(labels)) == labels
    shuffled = dict(reversed(metadata.items()))
    assert pack_manifest(manifest) == pack_manifest(
        Manifest(None, manifest.tensors, manifest.sections, metadata=shuffled)
    )


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(FormatError, match="not valid Unicode"):
        pack_labels(["\ud800"])


def test_unpacking_stops_at_its_limit() -> None:
    data = deflate(b'"' + b"a" * 98 + b'"')
    assert len(unpack_json(data, 100, "text")) == 98
    with pytest.raises(FormatError, match="at most 99 bytes"):
        unpack_json(data, 99, "text")


def test_layout_has_no_holes() -> None:
    manifest = Manifest(None, (), (Section(5, 0, 0), Section(0, 0, 0), Section(7, 0, 0)), labels=Section(3, 0, 0))
    layout = plan_layout(manifest, 11)
    start = HEADER_BYTES + 11
    assert layout.sections == (start, start + 5, start + 5)
    assert (layout.labels, layout.end) == (start + 12, start + 15)


def test_json_is_canonical() -> None:
    packed = pack_json({"b": [1.5, True, None], "a": "ü"})
    assert zlib.decompressobj(-15).decompress(packed) == '{"b":[1.5,true,null],"a":"ü"}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack_json(float("nan"))
