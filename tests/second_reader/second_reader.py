"""A second reader of .dcz files, in plain Python, written from docs/format.md alone.

It imports nothing from the package and is slow: it is there to agree with the first reader, and so to show that the
page says enough. It reads tensors, names of operators, labels, metadata, tied names and ranges; it does not run
networks.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

import second_adaptive  # noqa: F401 (an encoding of its own, which it adds to the parsers)
import second_context  # noqa: F401
import second_mixed  # noqa: F401
from second_payloads import SIZES, RefusedError, need, payload
from second_quantization import quantization

MAGIC = b"\x89DCZ\r\n\x1a\n"
DICTIONARY = (
    b'"metadata":{"preprocess":{"resize":[32,32],"crop":[224,224],"mode":"L","scale":1.0,"mean":[0.485,0.456,0.406],'
    b'"std":[0.229,0.224,0.225]}"labels":["0","1","2","3","4","5","6","7","8","9"],"batch_norm","relu6","adaptive_avg_pool2d",'
    b'[{"output":[7,7]}],"avg_pool2d","softmax","concat",{"axis":0},"slice","pad","add","max_pool2d",[],{"ceil_mode":true,'
    b'"kernel":[3,3],"stride":[2,2]}],["relu"],["flatten"],["linear",[2,3]],["conv2d",[0,1],{"padding":[1,1]}],'
    b'.num_batches_tracked",[],"raw","I64"],["layer1.0.bn1.running_mean",[64]],["features.0.running_var",[64]],'
    b'["classifier.6.weight",[10,512],"shared"],["fc1.bias",[10]],["conv1.weight",[64,64,3,3],"sparse_raw"],'
    b'.weight",[64,64,1,1],"sparse_shared"],{"graph":{"input":[3,32,32],"nodes":[["conv2d",'
    b'"sections":[[],"tensors":[["conv1.weight",[64,3,3,3],"sparse_shared"],["conv1.bias",[16]],'
)


@dataclass
class Tensor:
    """A tensor: its row in the manifest, and the bytes of its payload and all that follow in its section."""

    shape: tuple[int, ...]
    encoding: str
    dtype: str
    section: bytes = b""
    offset: int = 0

    def elements(self) -> bytes:
        """Row-major, little-endian elements."""
        return self.parsed()[0]().tobytes()

    def parsed(self) -> Any:
        """A function that decodes the payload, and where it ends."""
        return payload(self.section, self.offset, self.shape, self.dtype, self.encoding)


@dataclass
class File:
    """What a file holds."""

    version: tuple[int, int]
    tensors: dict[str, Tensor]
    nodes: list[str] | None
    labels: list[str] | None
    metadata: dict[str, str] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    quantization: dict[str, Any] | None = None


def read(data: bytes, operators: Iterable[str]) -> File:
    """Read a file; `operators` are the names that the reader knows.

    Raises
    ------
    RefusedError
        It is not a valid file, or has something that this reader does not know.
    """
    major, minor = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
    need(data[:8] == MAGIC and len(data) >= 20 and major == 1, "header, or major version")
    length, checksum = int.from_bytes(data[12:16], "little"), int.from_bytes(data[16:20], "little")
    packed = data[20 : 20 + length]
    need(len(packed) == length <= 1 << 24, "manifest is cut or too long")
    need(zlib.crc32(data[:16] + packed) == checksum, "checksum of the manifest")
    manifest = unpacked(packed, DICTIONARY)
    need(isinstance(manifest, dict), "manifest is no object")
    tensors = tensor_rows(manifest, len(data), minor)
    end = sections(manifest, data, 20 + length, list(tensors.values()))
    labels = None
    if "labels" in manifest:
        size, checksum = integers(manifest["labels"], 2)
        part = data[end : end + size]
        end += size
        need(len(part) == size and zlib.crc32(part) == checksum, "labels")
        labels = unpacked(part, b"")
        need(isinstance(labels, list) and all(isinstance(text, str) for text in labels), "labels are no texts")
    need(end == len(data), "length of the file")
    names = list(tensors)
    tied = manifest.get("tied", {})
    known = isinstance(tied, dict) and all(type(i) is int and 0 <= i < len(names) for i in tied.values())
    need(known and not set(tied) & set(names), "tied")
    metadata = manifest.get("metadata", {})
    need(isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values()), "metadata")
    nodes = graph(manifest["graph"], len(names), set(operators)) if "graph" in manifest else None
    integer = quantization(manifest["quantization"], tensors) if "quantization" in manifest else None
    return File((major, minor), tensors, nodes, labels, metadata, {name: names[i] for name, i in tied.items()}, integer)


def unpacked(packed: bytes, dictionary: bytes) -> Any:
    """JSON from a raw DEFLATE stream of at most 16 MiB."""
    stream = zlib.decompressobj(-15, zdict=dictionary)
    try:
        text = stream.decompress(packed, 1 << 24)
        need(stream.eof and not stream.unused_data, "deflate stream")
        value = json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()  # no lone surrogates
    except (zlib.error, ValueError, RecursionError) as error:
        raise RefusedError(f"JSON: {error}") from None
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len(dict(pairs)) == len(pairs), "a key stands twice")
    return dict(pairs)


def finite(text: str) -> float:
    need(isfinite(float(text)), "number is not finite")
    return float(text)


def refuse(text: str) -> None:
    raise RefusedError(f"{text} is no number")


def integers(value: Any, count: int | None = None) -> list[int]:
    need(isinstance(value, list) and all(type(n) is int and n >= 0 for n in value), "integers")
    need(count is None or len(value) == count, "number of integers")
    return list(value)


def tensor_rows(manifest: dict[str, Any], file_bytes: int, minor: int) -> dict[str, Tensor]:
    """Tensors by name, without their payloads."""
    rows = manifest.get("tensors")
    need(isinstance(rows, list) and len(rows) <= 65_536, "tensors")
    tensors: dict[str, Tensor] = {}
    before = ""
    for row in rows:
        need(isinstance(row, list) and 2 <= len(row) <= 4, "row of a tensor")
        name, shape, encoding, dtype = row + ["raw", "F32"][len(row) - 2 :]
        need(all(isinstance(text, str) for text in (name, encoding, dtype)), "texts of a tensor")
        before = name = whole_name(name, before) if minor else name
        need(len(integers(shape)) <= 8 and dtype in SIZES, f"axes, or unknown dtype {dtype!r}")
        need(name not in tensors, "two tensors of one name")
        tensors[name] = Tensor(tuple(shape), encoding, dtype)
    weights = sum(prod(max(extent, 1) for extent in tensor.shape) for tensor in tensors.values())
    need(weights <= min(1 << 31, (1 << 22) + 4096 * file_bytes), "more weights than the file may have")
    return tensors


def whole_name(text: str, before: str) -> str:
    if text[:1] != "." or text[:2] == "..":
        return text[text[:1] == "." :]
    name = before.rpartition(".")[0] + text
    need(name != text and len(name) <= 255, "a name goes on from nothing")
    return name


def sections(manifest: dict[str, Any], data: bytes, offset: int, tensors: list[Tensor]) -> int:
    """Find the payloads of all tensors, and return where the sections end."""
    rows = manifest.get("sections")
    need(isinstance(rows, list), "sections")
    waiting = iter(tensors)
    for row in rows:
        size, checksum, count = integers(row, 3)
        section = data[offset : offset + size]
        need(len(section) == size and zlib.crc32(section) == checksum, "section is cut, or its checksum")
        at = 0
        for _ in range(count):
            tensor = next(waiting, None)
            need(tensor is not None, "more tensors in sections than in the list")
            tensor.section, tensor.offset = section, at
            at = tensor.parsed()[1]
        need(at == size, "bytes behind the last tensor of a section")
        offset += size
    need(next(waiting, None) is None, "a tensor is in no section")
    return offset


def graph(value: Any, tensors: int, operators: set[str]) -> list[str]:
    """Names of the operators. Shapes and attributes are not looked at."""
    need(isinstance(value, dict), "graph")
    first = inputs_of(value.get("input"))
    rows, names = value.get("nodes"), []
    need(isinstance(rows, list) and len(rows) <= 65_536, "nodes")
    for i, row in enumerate(rows):
        need(isinstance(row, list) and 1 <= len(row) <= 4 and isinstance(row[0], str), "node")
        name, held, attributes, inputs = row + [[], {}, []][len(row) - 1 :]
        need(name in operators and isinstance(attributes, dict) and isinstance(held, list), f"node {name!r}")
        need(all(one is None or (type(one) is int and 0 <= one < tensors) for one in held), "tensors of a node")
        need(all(one < first + i for one in integers(inputs)), "a value that is not made yet")
        names.append(name)
    last = first + len(rows) - 1
    output = value.get("output", last)
    if isinstance(output, list):
        need(all(isinstance(row, list) and len(row) == 2 for row in output), "outputs")
        distinct([row[0] for row in output])
    ends = [row[1] for row in output] if isinstance(output, list) else [output]
    need(all(type(one) is int and 0 <= one <= last for one in ends), "output")
    return names


def inputs_of(value: Any) -> int:
    """The number of inputs, from one shape or from rows of name, shape and dtype."""
    if not (isinstance(value, list) and value and isinstance(value[0], list)):
        need(len(integers(value)) > 0, "input")
        return 1
    need(
        all(isinstance(row, list) and row[2:] in ([], ["I64"]) and len(row) > 1 and integers(row[1]) for row in value),
        "inputs",
    )
    distinct([row[0] for row in value])
    return len(value)


def distinct(names: list[Any]) -> None:
    need(all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names) > 0, "names")
