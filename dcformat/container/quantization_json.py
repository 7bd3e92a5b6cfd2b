"""The manifest's key ``quantization``: between `Quantization` and JSON."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import FormatError
from ..constants import MAX_ENDS, MAX_NODES, MAX_TENSORS
from ..graph.quantization import F32, Quantization, Range
from .json_fields import list_of, object_of

MINOR_VERSION = 1
"""The format's minor version that brought the key."""
LARGEST = 1e300
"""Greatest magnitude of a number; JSON has integers that no float holds."""


def quantization_to_json(given: Quantization, index: Mapping[str, int]) -> dict[str, Any]:
    """As JSON; numbers are the shortest texts that give the same float32.

    Parameters
    ----------
    given : Quantization
    index : mapping of str to int
        Index of each tensor in the manifest's list, by name.
    """
    data: dict[str, Any] = {
        "values": [[value, _short(found.scale), found.zero_point] for value, found in sorted(given.values.items())],
        "weights": sorted([index[name], list(map(_short, scales))] for name, scales in given.weights.items()),
    }
    if given.corrections:
        data["corrections"] = [[value, list(map(_short, n))] for value, n in sorted(given.corrections.items())]
    return data


def quantization_from_json(data: Any, names: Sequence[str]) -> Quantization:
    """Inverse of `quantization_to_json`; what `check_quantization` checks is not checked here.

    Parameters
    ----------
    data : object
    names : sequence of str
        Of the manifest's tensors.

    Raises
    ------
    FormatError
    """
    fields = object_of(data, "quantization")
    most = MAX_NODES + MAX_ENDS
    values = [_range_from_json(row) for row in list_of(fields, "values", most)]
    weights = [_numbers_from_json(row, "weights", len(names)) for row in list_of(fields, "weights", MAX_TENSORS)]
    corrections = list_of(fields, "corrections", most) if "corrections" in fields else []
    added = [_numbers_from_json(row, "corrections", most) for row in corrections]
    for what, keys in ("values", values), ("weights", weights), ("corrections", added):
        if len({key for key, _ in keys}) != len(keys):
            raise FormatError(f"manifest: quantization names one of its {what} twice")
    return Quantization(dict(values), {names[i]: scales for i, scales in weights}, dict(added))


def _short(number: float) -> float:
    return float(str(np.float32(number)))


def _range_from_json(row: Any) -> tuple[int, Range]:
    ok = isinstance(row, list) and len(row) == 3 and type(row[0]) is int and _is_number(row[1]) and type(row[2]) is int
    if not ok:
        expected = "[value, scale, zero_point]"
        raise FormatError("manifest: bad range in quantization", expected=expected, found=reprlib.repr(row))
    return row[0], Range(float(_float32(row[1])), row[2])


def _numbers_from_json(row: Any, what: str, limit: int) -> tuple[int, F32]:
    ok = isinstance(row, list) and len(row) == 2 and type(row[0]) is int and 0 <= row[0] < limit
    if not ok or not isinstance(row[1], list) or not all(map(_is_number, row[1])):
        expected = "[index, numbers]"
        raise FormatError(f"manifest: bad {what} in quantization", expected=expected, found=reprlib.repr(row))
    return row[0], _float32(row[1])


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= LARGEST


def _float32(numbers: Any) -> Any:
    """Numbers in float32; those that it cannot hold become infinite, and are refused with what is not finite."""
    with np.errstate(over="ignore"):
        return np.array(numbers, dtype=np.float64).astype(np.float32)
