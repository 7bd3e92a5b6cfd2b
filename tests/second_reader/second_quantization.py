"""The second reader's part for ranges, scales and corrections: section 8 of docs/format.md."""

from __future__ import annotations

import struct
from typing import Any

from second_payloads import need


def quantization(value: Any, tensors: dict[str, Any]) -> dict[str, Any]:
    """Ranges by value, scales by the weight's name, corrections by value; as fp32 numbers."""
    ranges = {str(i): [single(scale), zero] for i, scale, zero in value["values"]}
    names = list(tensors)
    weights = {names[i]: [single(scale) for scale in scales] for i, scales in value["weights"]}
    need(all(2.0**-60 <= scale <= 2.0**60 for scale, _ in ranges.values()), "scale of a range")
    need(all(2.0**-100 <= scale <= 2.0**100 for row in weights.values() for scale in row), "scale of a weight")
    need(all(type(zero) is int and 0 <= zero <= 255 for _, zero in ranges.values()), "zero point")
    need(all(len(row) == tensors[name].shape[0] for name, row in weights.items()), "number of scales")
    added = {str(i): [single(number) for number in row] for i, row in value.get("corrections", [])}
    return {"values": ranges, "weights": weights, "corrections": added}


def single(number: float) -> float:
    """The fp32 nearest to a number."""
    value: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return value
