"""docs/format.md shows bytes; they must be those of the vector, and its tables those of the code."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

from dcz.dcformat import OPS, constants
from dcz.dcformat.container.manifest import DICTIONARY
from dcz.dcformat.encoding.table import Encoding, parse

DOC = (Path(__file__).parent.parent / "docs" / "format.md").read_text()
TINY = (Path(__file__).parent / "vectors" / "tiny.dcz").read_bytes()


def block(kind: str) -> str:
    match = re.search(rf"```{kind}\n(.*?)\n```", DOC, re.DOTALL)
    assert match, kind
    return match[1]


def hexdump(data: bytes) -> str:
    return "\n".join(f"{at:08x}  {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16))


def test_hex_dump_is_the_vector() -> None:
    assert block("hexdump") == hexdump(TINY)


def test_manifest_is_the_vectors() -> None:
    length = int.from_bytes(TINY[12:16], "little")
    text = zlib.decompressobj(-15, DICTIONARY).decompress(TINY[20 : 20 + length])
    assert block("json") == text.decode()


def test_explained_bytes_stand_in_the_vector() -> None:
    table = DOC[DOC.index("The payload of `fc.weight`") : DOC.index("Behind it, at 0x70")]
    explained = "".join(re.findall(r"^\| `([0-9a-f ]+)` \|", table, re.MULTILINE)).replace(" ", "")
    assert bytes.fromhex(explained) == TINY[0x59:0x70]


@pytest.mark.parametrize("encoding", Encoding)
def test_every_encoding_is_described(encoding: Encoding) -> None:
    assert f"**`{encoding.value}`**" in DOC


@pytest.mark.parametrize(
    ("encoding", "dtype", "shape"),
    [
        (Encoding.SHARED_SCALED, "F32", (2, 2)),
        (Encoding.PLANES, "F16", (6,)),
        (Encoding.ADAPTIVE, "I16", (4,)),
    ],
)
def test_the_payload_of_an_example_is_what_is_said_of_it(
    encoding: Encoding, dtype: str, shape: tuple[int, ...]
) -> None:
    table = DOC[DOC.index(f"| bytes of `{encoding}`") :].split("\n\n")[0]
    payload = bytes.fromhex("".join(re.findall(r"^\| `([0-9a-f ]+)` \|", table, re.MULTILINE)).replace(" ", ""))
    said = re.search(r"(?:weights|; elements) ([-0-9., ]+) \|", table)
    assert said
    parsed = parse(payload, 0, shape, dtype, encoding)
    assert parsed.end == len(payload)
    assert parsed.decode().dense().reshape(-1).tolist() == [float(weight) for weight in said[1].split(",")]


def test_dictionary_is_the_codes() -> None:
    assert block("dictionary").encode() == DICTIONARY
    assert f"Its CRC-32 is `{zlib.crc32(DICTIONARY):#010x}`" in DOC


@pytest.mark.parametrize("op", OPS)
def test_every_op_has_a_row(op: str) -> None:
    row = next((line for line in DOC.splitlines() if line.startswith("| `") and f"`{op}`" in line.split("|")[1]), None)
    assert row is not None
    tensors, attrs = row.split("|")[2:4]
    assert re.findall(r"[a-z_]+(?=\??[ ,;]|\?)", tensors.replace("all (C)", ""))[: len(OPS[op].params)] == list(
        OPS[op].params
    )
    for role in OPS[op].optional_params:
        assert f"{role}?" in tensors
    since = re.search(r"\(1\.(\d+)\)", row.split("|")[1])
    assert OPS[op].minor_version == (int(since[1]) if since else 0)
    for name in OPS[op].attrs:
        assert re.search(rf"\b{name}\b", attrs), name


def test_limits_are_the_codes() -> None:
    limits = DOC[DOC.index("## 9. Limits") : DOC.index("## 10.")]
    assert constants.MAX_MANIFEST_BYTES == constants.MAX_LABELS_BYTES == 16 << 20
    assert constants.MAX_NODES == constants.MAX_TENSORS == 65_536
    assert "65,536" in limits
    assert f"| inputs; outputs | 1 to {constants.MAX_ENDS:,} each |" in limits
    assert f"| axes of a tensor | {constants.MAX_RANK} |" in limits
    assert (constants.MAX_ELEMENTS, constants.FREE_ELEMENTS, constants.MAX_EXPANSION) == (2**31, 2**22, 4096)
    assert "2^31, and 2^22 + 4,096 x" in limits
    assert constants.MAX_ACTIVATION == 2**28
    assert constants.MAX_LIVE == 2**29
    assert "| elements of all values that are needed at a time, per sample | 2^29;" in limits
    assert f"of one in `shared_wide` | {constants.MAX_CODEBOOK}; {constants.MAX_WIDE_CODEBOOK:,} |" in limits
    assert f"their upper parts | {constants.MAX_ADAPTIVE:,}; {constants.MAX_ADAPTIVE_EXPANSION} |" in limits
    assert f"each byte of the stream | {constants.MAX_MIXED_EXPANSION} |" in limits
    assert f"| gap width | {constants.MAX_GAP_BITS} bits |" in limits
    assert f"| code length | {constants.MAX_CODE_LENGTH} bits |" in limits
    assert f"chunks of {constants.CHUNK_ENTRIES:,}" in DOC
