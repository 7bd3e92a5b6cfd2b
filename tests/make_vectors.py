"""Write the test vectors that are not there yet: `python tests/make_vectors.py`, by hand.

The files under `tests/vectors/` are never rewritten: they stand for the files that users already have. What each must
give stands in `expected.json` beside them. With `--freeze`, at a release of the format, `frozen.json` gets a digest of
each; a test holds them to it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from vector_graphs import (
    embedding_file,
    ends_file,
    graph_file,
    leaky_relu_file,
    movement_file,
    quantized_file,
    sparse,
    spatial_file,
)
from vector_operators import (
    activations_file,
    arithmetic_file,
    functions_file,
    norms_file,
    products_file,
    recurrent_file,
)
from vector_tensors import tensor_files

import dcz.dcformat as fmt
from dcz.dcformat.constants import MAGIC
from dcz.dcformat.container.layout import pack_header
from dcz.dcformat.container.manifest import DICTIONARY, pack_json
from dcz.dcformat.encoding.table import Encoding, encode_tensor
from dcz.dcformat.tensors import Array, Dense

INLINE_BYTES = 64


def valid_files() -> dict[str, dict[str, Any]]:
    """Arguments of `write` by file name."""
    tiny_weight = np.zeros((3, 30), dtype=np.float32)
    for position, value in ((1, 0.5), (3, -0.25), (4, 0.5), (6, 0.5), (71, 1.5)):
        tiny_weight.flat[position] = value
    tiny_graph = fmt.Graph((30,), (fmt.make_node("linear", [0], {"weight": "fc.weight", "bias": "fc.bias"}),), 1)
    rng = np.random.default_rng(0)
    files: dict[str, dict[str, Any]] = {
        "tiny.dcz": {
            "graph": tiny_graph,
            "tensors": {"fc.weight": tiny_weight, "fc.bias": np.array([0.0, 1.0, -1.0], dtype=np.float32)},
            "labels": ["a", "b", "c"],
        },
        "dtypes.dcz": {
            "graph": None,
            "tensors": {
                "f64": np.array([1.5, -2.5]),
                "f32 scalar": np.array(3.25, dtype=np.float32),
                "f16": np.array([1, 2, 3], dtype=np.float16),
                "bf16": Dense(np.array([0x3F80, 0xC000], dtype=np.uint16), "BF16"),
                "i64": np.array(-(2**40)),
                "i32": np.array([[1, -2], [3, -4]], dtype=np.int32),
                "i16": np.array([-300], dtype=np.int16),
                "i8": np.array([-5, 5], dtype=np.int8),
                "u64": np.array([2**63], dtype=np.uint64),
                "u32": np.array([2**31], dtype=np.uint32),
                "u16": np.array([65535], dtype=np.uint16),
                "u8": np.array([255], dtype=np.uint8),
                "bool": np.array([True, False]),
                "empty": np.zeros((0, 3), dtype=np.float32),
                "": np.array([1.0], dtype=np.float32),
                "ünïcödé/\n": np.array([2.0], dtype=np.float32),
            },
        },
        "shared.dcz": {
            "graph": None,
            "tensors": {
                "f32 codebook": rng.choice(rng.normal(size=7).astype(np.float32), size=(30, 11)),
                "f16 codebook": rng.choice(np.array([0.5, -1.5, 3.0, 0.0], np.float32), size=(30, 11)),
                "grid codebook": (rng.integers(-100, 100, size=(30, 40)) * np.float64(np.float32(0.0123))).astype(
                    "<f4"
                ),
                "half": rng.choice(np.array([0.5, -1.5, 3.0], np.float16), size=(40, 5)),
                "one value": np.full((20, 20), np.float32(1.1)),
                "special": rng.choice(np.array([np.nan, np.inf, -0.0, 0.0, 1e-40], np.float32), size=(20, 20)),
            },
        },
        "sparse.dcz": {
            "graph": None,
            "tensors": {
                "plain": sparse((16, 8, 3, 3), 0.2, [0.1, -0.1, 0.3, -0.7], 1),
                "swapped": np.where(
                    np.arange(40)[None, :, None] % 8 == 3, sparse((30, 40, 4), 1, [0.1, 0.2], 2), 0
                ).astype("<f4"),
                "escapes": sparse((1, 60000), 0.001, [1.5, -2.5], 3),
                "chunks": sparse((50, 3000), 0.25, [0.1], 4),
                "unshared": sparse((60, 90), 0.1, rng.normal(size=1000).tolist(), 5),
                "all zero": np.zeros((10, 10), dtype=np.float32),
                "no gaps": np.pad(np.full((1, 100), np.float32(7.7)), ((0, 3), (0, 0))),
            },
        },
        "graph.dcz": graph_file(),
        "tied.dcz": tied_file(),
        "leaky_relu.dcz": leaky_relu_file(),
        "ends.dcz": ends_file(),
        "embedding.dcz": embedding_file(),
        "spatial.dcz": spatial_file(),
        "movement.dcz": movement_file(),
        "quantized.dcz": quantized_file(),
        "activations.dcz": activations_file(),
        "arithmetic.dcz": arithmetic_file(),
        "norms.dcz": norms_file(),
        "products.dcz": products_file(),
        "recurrent.dcz": recurrent_file(),
        "functions.dcz": functions_file(),
        **{name: {"graph": None, "tensors": tensors} for name, tensors in tensor_files().items()},
    }
    return files


def tied_file() -> dict[str, Any]:
    """A weight that two layers share, under three names."""
    nodes = (
        fmt.make_node("linear", [0], {"weight": "first.weight"}),
        fmt.make_node("relu", [1]),
        fmt.make_node("linear", [2], {"weight": "first.weight", "bias": "second.bias"}),
    )
    tensors = {
        "first.weight": sparse((8, 8), 0.4, [0.5, -0.5, 1.0], 6),
        "second.bias": np.arange(8, dtype=np.float32),
    }
    tied = {"second.weight": "first.weight", "spare": "first.weight"}
    return {"graph": fmt.Graph((8,), nodes, 3), "tensors": tensors, "tied": tied}


def build(manifest: Any, body: bytes = b"") -> bytes:
    """A container from any JSON, with right checksums where a section's is None."""
    offset = 0
    for section in manifest.get("sections", []):
        if section[1] is None:
            section[1] = zlib.crc32(body[offset : offset + section[0]])
        offset += section[0]
    return pack_header(pack_json(manifest, DICTIONARY)) + body


def broken_files(tiny: bytes) -> dict[str, tuple[bytes, str, str]]:
    """Bytes, error class and a piece of its message, by file name."""
    manifest_end = 20 + int.from_bytes(tiny[12:16], "little")

    def with_payload(payload: bytes, entry: Sequence[Any] = ("w", [4, 4], "sparse_shared")) -> bytes:
        return build({"tensors": [entry], "sections": [[len(payload), None, 1]]}, payload)

    def with_tensor(entry: list[Any]) -> bytes:
        return build({"tensors": [entry], "sections": [[0, None, 1]]})

    def with_ends(given: Any, answer: Any) -> bytes:
        return build({"graph": {"input": given, "nodes": [["relu"]], "output": answer}, "tensors": [], "sections": []})

    def with_names(*names: str) -> bytes:
        manifest = {"tensors": [[name, [0]] for name in names], "sections": [[0, 0, len(names)]]}
        return pack_header(pack_json(manifest, DICTIONARY), minor=1)

    def with_node(node: list[Any]) -> bytes:
        return build({"graph": {"input": [4], "nodes": [node]}, "tensors": [], "sections": []})

    def with_scale(scale: float) -> bytes:
        graph = {"input": [2], "nodes": [["linear", [0]]]}
        quantization = {"values": [[0, scale, 7]], "weights": [[0, [0.5, 0.5]]]}
        head = {"graph": graph, "tensors": [["w", [2, 2]]], "sections": [[16, None, 1]], "quantization": quantization}
        return build(head, bytes(16))

    flipped = bytearray(tiny)
    flipped[manifest_end + 3] ^= 1
    bad_manifest = bytearray(tiny)
    bad_manifest[30] ^= 1
    return {
        "empty.dcz": (b"", "FormatError", "an empty file"),
        "not-a-container.dcz": (b"PK\x03\x04" + bytes(30), "FormatError", "not a .dcz container"),
        "text-mode.dcz": (tiny.replace(b"\r\n", b"\n"), "FormatError", "text-mode transfer"),
        "cut-in-header.dcz": (tiny[:13], "TruncatedError", "header"),
        "cut-in-manifest.dcz": (tiny[:40], "TruncatedError", "cut short"),
        "cut-in-section.dcz": (tiny[: manifest_end + 2], "TruncatedError", "cut short"),
        "cut-by-one.dcz": (tiny[:-1], "TruncatedError", "cut short"),
        "one-byte-more.dcz": (tiny + b"\0", "FormatError", "bytes behind the end"),
        "version-2.dcz": (MAGIC + b"\2\0" + tiny[10:], "UnsupportedVersionError", "format version"),
        "flipped-manifest.dcz": (bytes(bad_manifest), "ChecksumError", "manifest"),
        "flipped-section.dcz": (bytes(flipped), "ChecksumError", "section 0"),
        "unknown-encoding.dcz": (
            with_tensor(["w", [2], "sparse_magic"]),
            "FormatError",
            "unknown encoding 'sparse_magic'",
        ),
        "unknown-dtype.dcz": (with_tensor(["w", [2], "raw", "F4"]), "FormatError", "unknown dtype 'F4'"),
        "unknown-op.dcz": (with_node(["teleport"]), "FormatError", "unknown op 'teleport'"),
        "nameless-input.dcz": (with_ends([["", [4]]], 1), "FormatError", "a name of its own"),
        "outputs-alike.dcz": (with_ends([4], [["y", 0], ["y", 1]]), "FormatError", "a name of its own"),
        "input-of-bytes.dcz": (with_ends([["x", [4], "U8"]], 1), "FormatError", "unknown dtype"),
        "range-zero.dcz": (with_scale(0.0), "FormatError", "bad scale"),
        "later-value.dcz": (with_node(["relu", [], {}, [1]]), "FormatError", "not made yet"),
        "name-of-nothing.dcz": (with_names("a", ".b"), "FormatError", "cannot go on from the one before"),
        "huge-tensor.dcz": (with_tensor(["w", [2**20, 2**20]]), "FormatError", "larger than a file of this size"),
        "gaps-outside.dcz": (
            # Encoded for 32 weights, the second stored one at position 20, and then said to have 16.
            with_payload(
                encode_tensor(
                    Dense(np.eye(1, 32, dtype=np.float32) + np.eye(1, 32, 20, dtype=np.float32), "F32"),
                    {Encoding.SPARSE_SHARED},
                )[1]
            ),
            "FormatError",
            "gaps lead outside the tensor",
        ),
        "too-many-weights.dcz": (with_payload(b"\x04\x11"), "FormatError", "number of stored weights is out of range"),
        "gap-width-9.dcz": (with_payload(b"\x09\x01"), "FormatError", "gap width is out of range"),
        "empty-codebook.dcz": (with_payload(b"\x04\x01\x00"), "FormatError", "codebook is empty"),
        "any-of-f32.dcz": (with_tensor(["w", [4, 4], "shared_any"]), "FormatError", "cannot be shared_any"),
        "shared-bf16.dcz": (with_tensor(["w", [4, 4], "shared", "BF16"]), "FormatError", "cannot be shared"),
        "scale-zero.dcz": (
            with_payload(bytes(16), ["w", [4, 4], "shared_scaled"]),
            "FormatError",
            "not all are positive",
        ),
        "patterns-fall.dcz": (
            with_payload(b"\x60\x02" + bytes([2] + 7 * [0] + [1] + 7 * [0]), ["w", [4, 4], "shared_any", "I64"]),
            "FormatError",
            "patterns do not ascend",
        ),
        "planes-none.dcz": (with_payload(bytes(9), ["w", [4], "planes", "F16"]), "FormatError", "none is coded"),
        "planes-beyond.dcz": (
            with_payload(b"\x04\x00\x00\x03\x00" + bytes(8), ["w", [4], "planes", "F16"]),
            "FormatError",
            "one that there is not",
        ),
        "planes-alphabet.dcz": (
            with_payload(b"\x02\xf0\x10" + bytes(20), ["w", [4], "planes", "F16"]),
            "FormatError",
            "more than bytes",
        ),
        "wide-beyond.dcz": (
            # Two centroids, 1 and 2, and the symbols 0 and 3, in planes of which the upper one is coded.
            with_payload(
                b"\x60\x02" + b"\x00\x01" + b"\x04" + b"\x02\x00\x00\x03\x00" + b"\x00\x03",
                ["w", [2], "shared_wide", "I16"],
            ),
            "FormatError",
            "beyond the codebook",
        ),
        "adaptive-expands.dcz": (
            with_payload(b"\x01\x01\xff", ["w", [65], "adaptive", "U8"]),
            "FormatError",
            "more elements than so few bytes",
        ),
        "adaptive-overflow.dcz": (
            with_payload(bytes.fromhex("2903f2e7f1000000"), ["w", [4], "adaptive", "I8"]),
            "FormatError",
            "too large for I8",
        ),
        "adaptive-constant.dcz": (
            with_payload(bytes.fromhex("280102030400"), ["w", [4], "adaptive"]),
            "FormatError",
            "other bytes",
        ),
        "planes-of-bytes.dcz": (with_tensor(["w", [4], "planes", "U8"]), "FormatError", "cannot be planes"),
        "boolean-2.dcz": (
            with_payload(b"\x60\x01\x02\x00", ["w", [4, 4], "shared_any", "BOOL"]),
            "FormatError",
            "neither 0 nor 1",
        ),
    }


def array_of(tensor: Array | Dense | fmt.Encoded) -> Array:
    """The elements of what `write` takes."""
    if isinstance(tensor, fmt.Encoded):
        tensor = tensor.decode()
    return tensor.array if isinstance(tensor, Dense) else tensor


def expected_tensor(container: fmt.Container, name: str, array: Array) -> dict[str, Any]:
    """What a reader must give for a tensor."""
    data = array.tobytes()
    entry = container.entries[name]
    expected = {"dtype": entry.dtype, "shape": list(entry.shape), "encoding": entry.encoding.value}
    if len(data) <= INLINE_BYTES:
        return expected | {"hex": data.hex()}
    return expected | {"sha256": hashlib.sha256(data).hexdigest()}


def expected_file(path: Path, tensors: dict[str, Array]) -> dict[str, Any]:
    """What a reader must give for a file."""
    with fmt.open(path) as container:
        expected: dict[str, Any] = {
            "labels": container.labels,
            "nodes": [node.op for node in container.graph.nodes] if container.graph else None,
            "tensors": {key: expected_tensor(container, key, array) for key, array in tensors.items()},
        }
        if container.tied:
            expected["tied"] = container.tied
        if container.graph and container.graph.quantization:
            expected["quantization"] = quantization_of(container.graph.quantization)
    return expected


def quantization_of(given: fmt.Quantization) -> dict[str, Any]:
    """Ranges by value, and the float32 of scales and corrections as little-endian bytes."""
    return {
        "values": {str(value): [found.scale, found.zero_point] for value, found in given.values.items()},
        "weights": {name: scales.tobytes().hex() for name, scales in given.weights.items()},
        "corrections": {str(value): numbers.tobytes().hex() for value, numbers in given.corrections.items()},
    }


def later_files() -> dict[str, bytes]:
    """Files of a later minor version whose news can be passed over."""
    payload = np.array([1.5, -2.0], "<f4").tobytes()
    section = [len(payload), zlib.crc32(payload), 1]
    graph = {"input": [2], "nodes": [["relu"]], "profile": [[1, 2]], "comment": {"by": "a later writer"}}
    manifest = {
        "graph": graph,
        "tensors": [["w", [2]]],
        "sections": [section],
        "licence": "CC0",
        "signatures": [{}, 1.5],
    }
    return {"future-keys.dcz": pack_header(pack_json(manifest, DICTIONARY), minor=9) + payload}


def refused_later_files() -> dict[str, tuple[bytes, str, str]]:
    """Files of a later minor version that have what a reader cannot do without: it names that."""

    def later(manifest: dict[str, Any], payload: bytes = b"") -> bytes:
        sections = [[len(payload), zlib.crc32(payload), len(manifest["tensors"])]] if manifest["tensors"] else []
        return pack_header(pack_json({**manifest, "sections": sections}, DICTIONARY), minor=9) + payload

    def of(row: list[Any], payload: bytes = bytes(8)) -> bytes:
        return later({"tensors": [row]}, payload)

    error = "UnsupportedVersionError"
    node = {"graph": {"input": [2], "nodes": [["quantum_attention", [], {"heads": 4}]]}, "tensors": []}
    return {
        "future-encoding.dcz": (of(["w", [2], "tensor_train"]), error, "unknown encoding 'tensor_train'"),
        "future-dtype.dcz": (of(["w", [2], "raw", "F8_E4M3"]), error, "unknown dtype 'F8_E4M3'"),
        "future-operator.dcz": (later(node), error, "unknown op 'quantum_attention'"),
        "future-codebook.dcz": (of(["w", [2], "shared"], b"\xe0" + bytes(9)), error, "unknown form of codebook"),
    }


def main(folder: Path) -> None:
    """Write the vectors that a folder lacks, and what they must give."""
    listed = folder / "expected.json"
    expected: dict[str, Any] = json.loads(listed.read_text()) if listed.exists() else {"valid": {}, "broken": {}}
    for name, arguments in valid_files().items():
        if not (folder / name).exists():
            fmt.write(folder / name, **arguments)
            given = {key: array_of(value) for key, value in arguments["tensors"].items()}
            expected["valid"][name] = expected_file(folder / name, given)
    for name, data in later_files().items():
        if not (folder / name).exists():
            (folder / name).write_bytes(data)
            expected["valid"][name] = expected_file(folder / name, {"w": np.array([1.5, -2.0], "<f4")})
    broken = broken_files((folder / "tiny.dcz").read_bytes()) | refused_later_files()
    for name, (data, error, message) in broken.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(data)
            expected["broken"][name] = {"error": error, "message": message}
    listed.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def digest(data: bytes, expected: dict[str, Any] | None) -> str:
    """SHA-256 of a vector and of what it must give; of a broken one, whose message may be worded anew, of it alone."""
    given = json.dumps(expected, sort_keys=True, ensure_ascii=False) if expected is not None else ""
    return hashlib.sha256(data + given.encode()).hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Digests of all vectors of a folder, by name."""
    expected = json.loads((folder / "expected.json").read_text())["valid"]
    return {path.name: digest(path.read_bytes(), expected.get(path.name)) for path in sorted(folder.glob("*.dcz"))}


if __name__ == "__main__":
    vectors = Path(__file__).parent / "vectors"
    main(vectors)
    if sys.argv[1:] == ["--freeze"]:
        (vectors / "frozen.json").write_text(json.dumps(digests(vectors), indent=1) + "\n")
