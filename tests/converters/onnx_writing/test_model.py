"""A container's network as an ONNX model: ONNX Runtime answers as operators mean, and it reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from op_cases import CASES, OpCase, batch_for, network
from reference import run

from dcz.converters.convert import convert
from dcz.converters.export import export
from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.converters.frontends.onnx_files.session import Session
from dcz.converters.onnx_writing.operators import WRITERS
from dcz.dcformat import OPS, ConversionError, Dense, Graph, UnsupportedOpError, encode, open, write
from dcz.dcformat.tensors import Array


def contained(path: Path, graph: Graph | None, tensors: dict[str, Array]) -> Path:
    write(path, graph, {name: encode(name, Dense(array, "F32")) for name, array in tensors.items()})
    return path


FORMS = [
    OpCase("sub", [(4, 5, 6), (6,)], {}, {}, (4, 5, 6)),
    OpCase("div", [(6,), (2, 1)], {}, {}, (2, 6)),
    OpCase("adaptive_max_pool2d", [(3, 7, 5)], {}, {"output": (3, 2)}, (3, 3, 2)),
    OpCase("adaptive_max_pool1d", [(4, 33)], {}, {"output": (7,)}, (4, 7)),
    OpCase("attention", [(19, 8), (2, 35, 8), (2, 35, 5), (19, 35)], {}, {"scale": 0.3}, (2, 19, 5)),
    OpCase("lstm", [(4, 3)], {"weight_ih": (68, 3), "weight_hh": (68, 17)}, {"output": "cell"}, (4, 17)),
    OpCase(
        "lstm",
        [(9, 7), (5,), (5,)],
        {"weight_ih": (20, 7), "weight_hh": (20, 5), "bias_hh": (20,)},
        {"output": "cell", "reverse": True},
        (9, 5),
    ),
    OpCase("gru", [(4, 3)], {"weight_ih": (51, 3), "weight_hh": (51, 17), "bias_ih": (51,)}, {}, (4, 17)),
]
"""Forms of operators that ONNX spells in another way."""


def test_every_operator_has_a_writer() -> None:
    assert set(WRITERS) == set(OPS)


def test_an_operator_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(WRITERS, "relu")
    (case,) = (case for case in CASES if case.op == "relu")
    with pytest.raises(UnsupportedOpError, match=r"relu: ONNX has no such operator \(node '0'"):
        export(contained(tmp_path / "net.dcz", *network(case)), tmp_path / "net.onnx")


@pytest.mark.parametrize("case", [*CASES, *FORMS], ids=lambda case: case.op)
def test_onnxruntime_answers_as_the_operator_means(tmp_path: Path, case: OpCase) -> None:
    graph, tensors = network(case)
    export(contained(tmp_path / "net.dcz", graph, tensors), tmp_path / "net.onnx")
    onnx.checker.check_model(tmp_path / "net.onnx", full_check=True)
    x = batch_for(graph, 3)
    (found,) = Session(tmp_path / "net.onnx")(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), run(graph, tensors, x), rtol=1e-4, atol=1e-4)


def test_rows_of_no_table(tmp_path: Path) -> None:
    graph, tensors = network(OpCase("embedding", [(5,)], {"weight": (5, 9)}, {}, (5, 9)))
    export(contained(tmp_path / "net.dcz", graph, tensors), tmp_path / "net.onnx")
    x = np.array([[np.nan, np.inf, -np.inf, 3.99, -0.5]], np.float32)
    (found,) = Session(tmp_path / "net.onnx")(torch.from_numpy(x))
    np.testing.assert_array_equal(found.numpy(), run(graph, tensors, x))


def small() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(288, 40), torch.nn.Linear(40, 4)).eval()


@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
@pytest.mark.parametrize("sparse", [False, True])
def test_there_and_back(tmp_path: Path, ending: str, sparse: bool) -> None:
    """Pruned, shared weights come back bit for bit, and take the same encodings."""
    convert(small(), tmp_path / "net.dcz", input_shape=(3, 8, 8), prune="percent:80", bits=4)
    export(tmp_path / "net.dcz", tmp_path / f"net{ending}", sparse=sparse and ending == ".onnx")
    convert(tmp_path / f"net{ending}", tmp_path / "back.dcz")
    with open(tmp_path / "net.dcz") as there, open(tmp_path / "back.dcz") as back:
        assert there.graph is not None
        assert back.graph is not None
        assert [node.op for node in back.graph.nodes] == [node.op for node in there.graph.nodes]
        for name in there.graph.tensor_names():
            assert back.tensor(name).tobytes() == there.tensor(name).tobytes()
            assert back.entries[name].encoding == there.entries[name].encoding


def test_integers_there_and_back(tmp_path: Path) -> None:
    """An ONNX file takes the integers as they are; numbers beyond the table take its ends."""
    net = torch.nn.Sequential(torch.nn.Embedding(50, 16), torch.nn.Linear(16, 4), torch.nn.LayerNorm(4)).eval()
    convert(net, tmp_path / "net.dcz", input_shape=(6, "int64"))
    export(tmp_path / "net.dcz", tmp_path / "net.onnx")
    convert(tmp_path / "net.onnx", tmp_path / "back.dcz")
    x = torch.tensor([[0, 49, 7, 50, 1 << 40, -3]])
    torch.testing.assert_close(Session(tmp_path / "net.onnx")(x)[0], net(x.clamp(0, 49)))
    with open(tmp_path / "net.dcz") as there, open(tmp_path / "back.dcz") as back:
        assert there.graph is not None
        assert back.graph is not None
        assert [node.op for node in back.graph.nodes] == ["clamp", *(node.op for node in there.graph.nodes)]
        assert all(back.tensor(name).tobytes() == there.tensor(name).tobytes() for name in there.graph.tensor_names())


def test_sparse_initializers_are_smaller(tmp_path: Path) -> None:
    convert(small(), tmp_path / "net.dcz", input_shape=(3, 8, 8), prune="percent:90")
    for name, sparse in (("dense", False), ("sparse", True)):
        export(tmp_path / "net.dcz", tmp_path / f"{name}.onnx", sparse=sparse)
    dense, sparse = (onnx.load(tmp_path / f"{name}.onnx") for name in ("dense", "sparse"))
    assert not dense.graph.sparse_initializer
    assert {item.values.name for item in sparse.graph.sparse_initializer} >= {"4.weight", "5.weight"}
    assert (tmp_path / "sparse.onnx").stat().st_size < (tmp_path / "dense.onnx").stat().st_size / 2
    x = torch.randn(3, 3, 8, 8)
    answers = [Session(tmp_path / f"{name}.onnx")(x)[0] for name in ("dense", "sparse")]
    torch.testing.assert_close(*answers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_kept_and_widened(tmp_path: Path, dtype: torch.dtype) -> None:
    convert(small().to(dtype), tmp_path / "net.dcz", input_shape=(3, 8, 8))
    export(tmp_path / "net.dcz", tmp_path / "net.onnx")
    source = from_onnx(tmp_path / "net.onnx")
    with open(tmp_path / "net.dcz") as container:
        wide = np.asarray(Dense(container.tensor("4.weight"), container.entries["4.weight"].dtype).numbers())
    assert source.tensors["4.weight"].array.tobytes() == wide.astype(np.float32).tobytes()


def test_more_than_a_protobuf_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcz.converters.onnx_writing.model.MAX_BYTES", 1000)
    convert(small(), tmp_path / "net.dcz", input_shape=(3, 8, 8))
    with pytest.raises(ConversionError, match=r"too large for an ONNX file \(expected at most 1,000 bytes, found 4"):
        export(tmp_path / "net.dcz", tmp_path / "net.onnx")


@pytest.mark.parametrize("ending", [".onnx", ".pt2"])
def test_weights_alone_make_no_network(tmp_path: Path, ending: str) -> None:
    path = contained(tmp_path / "net.dcz", None, {"w": np.ones(3, np.float32)})
    with pytest.raises(ConversionError, match="weights only, and no graph"):
        export(path, tmp_path / f"net{ending}")
