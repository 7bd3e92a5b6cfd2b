"""A second reader of .dcz files, in plain Python, written from docs/format.md alone.

It imports nothing from the package and is slow: it is there to agree with the first reader, and so to show that the
page says enough. It reads the manifest, tensors and labels; it does not run networks. Wrong files end in an exception,
not in a good message.
"""

import json
import zlib
from collections import namedtuple
from collections.abc import Iterator
from math import prod
from typing import Any

from second_parts import Reader
from second_payloads import payload

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


Tensor = namedtuple("Tensor", "shape encoding dtype nbytes elements")
"""A tensor: its row in the manifest, the bytes of its payload, and what decodes these, once."""
File = namedtuple("File", "version manifest tensors labels")
"""What a file holds."""


def read(data: bytes, operators: set[str]) -> File:
    """Read a file; `operators` are the names that the reader knows."""
    reader = Reader(data)
    magic, (major, minor) = reader.take(8).tobytes(), reader.take(2, "<u2").tolist()
    assert (magic, major) == (b"\x89DCZ\r\n\x1a\n", 1), "no .dcz file, or of another major version"
    manifest = unpacked(checked(reader, *reader.take(2, "<u4").tolist(), data[:16]), DICTIONARY)
    tensors = dict(tensors_of(manifest, reader, minor))
    labels = unpacked(checked(reader, *manifest["labels"])) if "labels" in manifest else None
    assert reader.at == len(data), "bytes behind the end"
    if "graph" in manifest:
        check_graph(manifest["graph"], operators)
    assert all(scale > 0 for _, scale, _ in manifest.get("quantization", {"values": []})["values"]), "scale of a range"
    return File((major, minor), manifest, tensors, labels)


def checked(reader: Reader, size: int, checksum: int, before: bytes = b"") -> bytes:
    part = reader.take(size).tobytes()
    assert zlib.crc32(before + part) == checksum, "checksum"
    return part


def unpacked(packed: bytes, dictionary: bytes = b"") -> Any:
    """JSON from a raw DEFLATE stream of at most 16 MiB."""
    return json.loads(zlib.decompressobj(-15, zdict=dictionary).decompress(packed, 1 << 24))


def tensors_of(manifest: dict[str, Any], reader: Reader, minor: int) -> Iterator[tuple[str, Tensor]]:
    rows, name = iter(manifest["tensors"]), ""
    assert sum(prod(max(extent, 1) for extent in row[1]) for row in manifest["tensors"]) <= (1 << 22) + 4096 * len(
        reader.data
    ), "more weights than the file may have"
    for size, checksum, count in manifest["sections"]:
        section = Reader(checked(reader, size, checksum))
        for _, row in zip(range(count), rows, strict=False):
            short, shape, encoding, dtype = row + ["raw", "F32"][len(row) - 2 :]
            name, begin = whole_name(short, name) if minor else short, section.at
            decode = payload(section, tuple(shape), dtype, encoding)
            yield name, Tensor(tuple(shape), encoding, dtype, section.at - begin, decode)
        assert section.at == size, "bytes behind the last tensor of a section"


def whole_name(text: str, before: str) -> str:
    goes_on = text[:1] == "." and text[:2] != ".."
    assert not goes_on or "." in before[1:], "a name goes on from nothing"
    return before.rpartition(".")[0] + text if goes_on else text.removeprefix(".")


def check_graph(graph: dict[str, Any], operators: set[str]) -> None:
    """Look at names and numbers; not at shapes and attributes."""
    inputs = graph["input"] if isinstance(graph["input"][0], list) else [["input", graph["input"]]]
    outputs = graph["output"] if isinstance(graph.get("output"), list) else []
    names = [("in", name) for name, *_ in inputs if name] + [("out", name) for name, *_ in outputs if name]
    assert len(set(names)) == len(inputs) + len(outputs), "names of inputs or outputs"
    assert all(row[2:] in ([], ["I64"]) for row in inputs), "unknown dtype of an input"
    for made, (name, *rest) in enumerate(graph["nodes"], len(inputs)):
        assert name in operators, f"unknown operator {name!r}"
        assert all(value < made for value in (rest[2] if len(rest) > 2 else [])), "a value that is not made yet"
