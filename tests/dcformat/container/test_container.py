import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_cases import sparse_array
from containers import graph, tensors, write_full

from dcz.dcformat import (
    ChecksumError,
    Container,
    Dense,
    FormatError,
    Graph,
    InputError,
    Preprocess,
    TruncatedError,
    UnsupportedOpError,
    encode,
    make_node,
    write,
)
from dcz.dcformat import open as open_container
from dcz.dcformat.constants import MAX_RANK
from dcz.dcformat.encoding.table import Encoding
from dcz.dcformat.tensors import DTYPES


def array_of(tensor: Any) -> np.ndarray:
    return tensor.array if isinstance(tensor, Dense) else tensor


# What was written is what is read.


def test_everything_comes_back(full: Container) -> None:
    assert full.graph == graph()
    assert full.labels == ["cat", "Hündin", "owl"]
    assert full.metadata == {"from": "test"}
    assert full.preprocess == Preprocess(mode="L", resize=8, mean=(0.5,), std=(0.25,))
    assert full.format_version == "1.1"
    assert list(full.entries) == list(tensors())
    for name, tensor in tensors().items():
        expected, found = array_of(tensor), full.tensor(name)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
        assert full.entries[name].shape == expected.shape
    assert full.entries["bf16"].dtype == "BF16"
    assert {str(entry.encoding) for entry in full.entries.values()} == {
        "raw",
        "shared",
        "sparse_shared",
        "sparse_planes",
    }
    assert full.verify() == []


def test_csr_of_every_encoding(full: Container) -> None:
    for name in ("conv.weight", "fc.weight", "unused", "conv.bias", "empty"):
        csr, dense = full.csr(name), full.tensor(name)
        assert csr.dense().tobytes() == dense.tobytes()
        assert csr.nnz == np.count_nonzero(dense)
        assert len(csr.indptr) == len(dense) + 1
    for name in ("counter", "bf16"):
        with pytest.raises(ValueError, match="CSR"):
            full.csr(name)


def test_what_was_decoded_can_be_written_to_and_stays(path: Path) -> None:
    with open_container(path) as container:
        arrays = {name: container.tensor(name) for name in container.entries}
    for name, array in arrays.items():
        assert array.tobytes() == array_of(tensors()[name]).tobytes()
        array[...] = 0


def test_a_tensor_under_further_names(tmp_path: Path) -> None:
    weight = sparse_array((40, 30), 0.2, 5, np.random.default_rng(0))
    net = Graph((30,), (make_node("linear", (0,), {"weight": "a"}),), 1)
    write(tmp_path / "x.dcz", net, {"a": weight, "b": np.arange(3)}, tied={"c": "a", "": "b"})
    with open_container(tmp_path / "x.dcz") as container:
        assert list(container.entries) == ["a", "b"]
        assert container.tied == container.info()["tied"] == {"c": "a", "": "b"}
        assert container.verify() == []
        assert container.tensor("c").tobytes() == weight.tobytes()
        assert container.tensor("").tolist() == [0, 1, 2]
        assert container.csr("c").nnz == np.count_nonzero(weight)
        with pytest.raises(KeyError):
            container.tensor("d")
    for tied, says in (({"a": "b"}, "same name"), ({"c": "d"}, "'c' is tied to no tensor"), ({"c": "c"}, "no tensor")):
        with pytest.raises(FormatError, match=says):
            write(tmp_path / "y.dcz", None, {"a": weight, "b": np.arange(3)}, tied=tied)
    assert not (tmp_path / "y.dcz").exists()


def test_weights_only(tmp_path: Path) -> None:
    write(tmp_path / "w.dcz", None, {"a": np.ones(3, np.float32)})
    with open_container(tmp_path / "w.dcz") as container:
        assert container.graph is container.labels is container.preprocess is None
        assert container.metadata == {}
        assert container.tensor("a").tolist() == [1, 1, 1]
        assert container.verify() == []


def test_nothing_at_all(tmp_path: Path) -> None:
    write(tmp_path / "e.dcz", None, {})
    assert (tmp_path / "e.dcz").stat().st_size < 60
    with open_container(tmp_path / "e.dcz") as container:
        assert container.entries == {}
        assert container.verify() == []
        assert container.info()["ratio"] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for shape in ((), (0,), (5,), (2, 3, 4), (1,) * MAX_RANK):
        data = rng.integers(0, 2, shape) if dtype == "BOOL" else rng.integers(0, 100, shape)
        arrays[str(shape)] = np.asarray(data).astype(DTYPES[dtype])
    write(tmp_path / "d.dcz", None, {name: Dense(array, dtype) for name, array in arrays.items()})
    with open_container(tmp_path / "d.dcz") as container:
        for name, array in arrays.items():
            assert container.entries[name].dtype == dtype
            assert container.tensor(name).dtype == DTYPES[dtype]
            assert container.tensor(name).shape == array.shape
            assert container.tensor(name).tobytes() == array.tobytes()


def test_names_may_be_anything(tmp_path: Path) -> None:
    names = [
        "",
        " ",
        "a.b.0",
        'quo"te',
        "back\\slash",
        "new\nline",
        "nul\0",
        "日本語",
        "🙂",
        "a" * 5000,
        "../x",
        "__class__",
    ]
    write(tmp_path / "n.dcz", None, {name: np.full(2, i) for i, name in enumerate(names)}, labels=names)
    with open_container(tmp_path / "n.dcz") as container:
        assert list(container.entries) == names
        assert container.labels == names
        for i, name in enumerate(names):
            assert container.tensor(name).tolist() == [i, i]
        with pytest.raises(KeyError, match="no tensor 'b'"):
            container.tensor("b")


def test_many_tensors_in_many_sections(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays = {f"layer{i}": rng.normal(size=rng.integers(0, 400)).astype(np.float32) for i in range(60)}
    arrays |= {f"scalar{i}": np.float32(i).reshape(()) for i in range(300)}
    for among, nbytes in (({Encoding.RAW}, 1 << 12), (tuple(Encoding), 1 << 14)):
        write(tmp_path / "m.dcz", None, {name: encode(name, array, among) for name, array in arrays.items()})
        with open_container(tmp_path / "m.dcz") as container:
            *sections, last = (section.nbytes for section in container.manifest.sections)
            assert len(sections) >= 2
            assert all(nbytes <= size < nbytes + 1600 for size in sections)
            assert last < nbytes + 1600
    with open_container(tmp_path / "m.dcz") as container:
        for name in sorted(arrays, key=hash):
            assert container.tensor(name).tobytes() == arrays[name].tobytes()
        assert container.verify() == []


def test_the_input_is_left_as_it_was(tmp_path: Path) -> None:
    given = tensors()
    write(tmp_path / "x.dcz", None, given)
    for name, tensor in tensors().items():
        assert array_of(given[name]).tobytes() == array_of(tensor).tobytes()


# The same arguments, the same bytes.


def test_bytes_do_not_depend_on_process_hash_seed_or_place(path: Path, tmp_path: Path) -> None:
    assert write_full(tmp_path / "again.dcz").read_bytes() == path.read_bytes()
    script = "import sys; sys.path.append(sys.argv[1]); from containers import write_full; write_full(sys.argv[2])"
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.dcz"
        command = [sys.executable, "-c", script, str(Path(__file__).parents[1]), str(target)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "NUMBA_NUM_THREADS": seed}
        subprocess.run(command, check=True, env=environment, cwd=tmp_path, timeout=100)
        assert target.read_bytes() == path.read_bytes()


def test_metadata_is_sorted_and_tensors_keep_their_order(tmp_path: Path) -> None:
    arrays = {"b": np.ones(3), "a": np.zeros(3)}
    write(tmp_path / "1", None, arrays, metadata={"x": "1", "a": "2"})
    write(tmp_path / "2", None, arrays, metadata={"a": "2", "x": "1"})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    with open_container(tmp_path / "1") as container:
        assert list(container.entries) == ["b", "a"]
        assert list(container.metadata) == ["a", "x"]


# Closing, sharing.


def test_a_closed_container_says_so(path: Path) -> None:
    container = open_container(path)
    container.tensor("conv.weight")
    container.close()
    container.close()
    for use in (
        lambda: container.tensor("conv.weight"),  # its section has been read before
        lambda: container.tensor("unused"),
        lambda: container.labels,
        container.verify,
        container.info,
    ):
        with pytest.raises(ValueError, match="the container is closed"):
            use()
    assert container.graph == graph()


def test_a_file_that_shrinks_while_open(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.dcz"
    copy.write_bytes(path.read_bytes())
    with copy.open("rb", buffering=0) as file, open_container(file) as container:
        os.truncate(copy, container.manifest_bytes + 10)
        with pytest.raises(ChecksumError, match=r"copy\.dcz: checksum mismatch \(section 0"):
            container.tensor("conv.weight")
        assert len(container.verify()) == len(container.manifest.sections) + 1


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    arrays = {f"t{i}": sparse_array((40, 100 + i), 0.3, i % 5, rng) for i in range(24)}
    write(tmp_path / "t.dcz", None, arrays)
    with open_container(tmp_path / "t.dcz") as container, ThreadPoolExecutor(8) as pool:
        names = list(arrays) * 6
        rng.shuffle(names)
        for name, found in zip(names, pool.map(container.tensor, names), strict=True):
            assert found.tobytes() == arrays[name].tobytes()
        assert list(pool.map(lambda _: container.verify(), range(8))) == [[]] * 8


# What a container says of itself.


def test_info_accounts_for_every_byte(full: Container) -> None:
    info = full.info()
    assert json.loads(json.dumps(info)) == info
    assert {
        "format_version", "file_bytes", "dense_bytes", "ratio", "ratio_course", "ratio_paper", "input_shape", "nodes",
        "tensors", "bytes",
    } <= set(info)  # fmt: skip
    assert info["file_bytes"] == full.file_bytes == sum(info["bytes"].values())
    parts = set(info["bytes"]) - {"manifest", "labels"}
    for part in parts:
        assert info["bytes"][part] == sum(row["bytes"][part] for row in info["tensors"])
    assert parts == {"codebook", "tables", "gaps", "symbols", "values"}
    used = ("conv.weight", "conv.bias", "fc.weight")
    assert info["dense_bytes"] == 4 * sum(tensors()[name].size for name in used)
    assert info["ratio"] == info["dense_bytes"] / info["file_bytes"]
    assert info["input_shape"] == [2, 8, 8]
    assert info["nodes"] == 5


def test_info_of_each_tensor(full: Container) -> None:
    rows = {row["name"]: row for row in full.info()["tensors"]}
    for name, row in rows.items():
        array = array_of(tensors()[name])
        assert {
            "name", "shape", "nnz", "density", "encoding", "codebook_size", "gap_bits", "bits_per_symbol",
            "bits_per_gap", "bytes",
        } <= set(row)  # fmt: skip
        assert row["shape"] == list(array.shape)
        assert row["nnz"] == np.count_nonzero(array)
        assert row["density"] == (row["nnz"] / array.size if array.size else 0)
        assert row["encoding"] == full.entries[name].encoding.value
    conv, fc, unused = rows["conv.weight"], rows["fc.weight"], rows["unused"]
    assert conv["codebook_size"] == fc["codebook_size"] == 3
    assert unused["codebook_size"] is None
    assert conv["bits_per_symbol"] == 8 * conv["bytes"]["symbols"] / conv["nnz"]
    assert conv["bits_per_gap"] == 8 * conv["bytes"]["gaps"] / conv["nnz"]
    assert fc["bits_per_symbol"] == 8 * fc["bytes"]["symbols"] / 288
    assert fc["gap_bits"] is None
    assert 23 < unused["bits_per_symbol"] < 32  # the exponents of plain floats are coded
    assert sum(conv["code_lengths"]["symbols"]) == 3


def test_ratios_of_a_layer_by_hand(tmp_path: Path) -> None:
    array = sparse_array((300, 784), 0.08, 32, np.random.default_rng(0))
    write(tmp_path / "r.dcz", None, {"w": array, "b": np.ones(300)})
    with open_container(tmp_path / "r.dcz") as container:
        info = container.info()
    row = info["tensors"][0]["bytes"]
    assert info["ratio_course"] == 4 * array.size / row["symbols"]
    assert info["ratio_paper"] == pytest.approx(4 * array.size / (row["symbols"] + row["gaps"] + 4 * 32))
    assert info["dense_bytes"] == 4 * (array.size + 300)
    assert info["ratio_course"] > info["ratio_paper"] > info["ratio"]


def test_verify_tells_which_tensors_are_damaged(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arrays = {f"t{i}": rng.normal(size=(3, 2000)).astype(np.float32) for i in range(5)}
    path = tmp_path / "v.dcz"
    write(path, None, arrays, labels=["a"])
    data = bytearray(path.read_bytes())
    with open_container(path) as container:
        starts = container._layout.sections
        assert len(starts) == 5
    data[starts[1] + 3] ^= 1
    data[starts[4] + 3] ^= 1
    data[-1] ^= 1
    with open_container(io.BytesIO(bytes(data))) as container:
        problems = container.verify()
        assert len(problems) == 3
        assert problems[0].startswith(f"checksum mismatch (section 1 ('t1') at byte {starts[1]:#x}, expected 0x")
        assert "section 4 ('t4')" in problems[1]
        assert "labels" in problems[2]
        assert container.tensor("t0").tobytes() == arrays["t0"].tobytes()
        with pytest.raises(ChecksumError, match="section 4"):
            container.tensor("t4")


def test_sections_are_named_by_their_tensors(full: Container) -> None:
    listed = "'conv.weight', ..., " if len(full._sections._names[0]) > 2 else "'conv.weight'"
    assert full._sections.title(0).startswith(f"section 0 ({listed}")


def test_errors_are_value_errors_and_say_all() -> None:
    error = TruncatedError(
        "file is cut short", path="a.dcz", where="byte 9", expected="9 bytes", found=0, hint="try again"
    )
    assert str(error) == "a.dcz: file is cut short (byte 9, expected 9 bytes, found 0); try again"
    assert isinstance(error, ValueError)
    assert error.at("b.dcz") is error
    assert error.path == "a.dcz"
    assert str(FormatError("short").at(Path("b.dcz"))) == "b.dcz: short"
    assert isinstance(InputError("x"), ValueError)
    op = UnsupportedOpError("gelu", node="act", shape=(3, 4), path="m.pt", hint="use relu")
    assert str(op) == "m.pt: gelu: operator is not supported (node 'act', shape (3, 4)); use relu"
    assert isinstance(op, NotImplementedError)
