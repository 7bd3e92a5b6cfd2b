"""Codebooks in bytes: sorted by bit pattern, differences in exponential Golomb code.

Four forms, and the writer takes the shortest that is exact:

- ``F32``: the patterns of the floats;
- ``F16``: the patterns of the same numbers as half floats;
- ``GRID``: integers of up to 15 bits and a sign, and one fp32 scale: value = fp32(integer x scale);
- ``PATTERN``: the patterns of elements of any other type, in their own width.

Codebooks of float64 may take each of them: the first three where all centroids are float32 numbers.
"""

from __future__ import annotations

import math
import struct
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError, TruncatedError
from ..jit import kernel
from .bits import BitReader, BitWriter, Bytes

_SIGN = 1 << 15
_MAX_LEVELS = 1 << 10
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


class CodebookForm(IntEnum):
    """How the centroids are written; the value stands in the file."""

    F32 = 0
    F16 = 1
    GRID = 2
    PATTERN = 3


def forms_of(dtype: str) -> set[CodebookForm]:
    """Forms that the codebook of a tensor of this element type may have."""
    match dtype:
        case "F64":
            return set(CodebookForm)
        case "F32":
            return {CodebookForm.F32, CodebookForm.F16, CodebookForm.GRID}
        case "F16":
            return {CodebookForm.F16}
        case _:
            return {CodebookForm.PATTERN}


def sort_key(values: NDArray[Any]) -> NDArray[np.int64]:
    """Bit patterns of elements of up to 32 bits: the order of a codebook. Floats rise, then negative ones fall."""
    return values.view(f"u{values.dtype.itemsize}").astype(np.int64)


def find_grid(codebook: NDArray[np.float32]) -> tuple[np.float32, NDArray[np.int64]] | None:
    """Find the coarsest uniform grid that holds a codebook exactly.

    Returns
    -------
    scale : float32
    levels : ndarray of int64, shape (k,)
        ``float32(levels * scale) == codebook``, bit for bit; None where no grid of up to 1023 levels a side does.
    """
    largest = float(np.abs(codebook).max())
    if not 0 < largest < np.inf or np.signbit(codebook[codebook == 0]).any():
        return None
    # The scale is the largest centroid over its level, but for rounding: try its neighbours too.
    scales = (largest / np.arange(1, _MAX_LEVELS)).astype(np.float32)
    with np.errstate(over="ignore"):
        above = np.nextafter(scales, np.float32(np.inf))
    for candidates in (scales, np.nextafter(scales, np.float32(0)), above):
        fitting = candidates[(candidates > 0) & np.isfinite(candidates)]
        for part in (codebook[:8], codebook):  # a few centroids rule most scales out
            scale = fitting.astype(np.float64)[:, None]
            levels = np.rint(part / scale)
            with np.errstate(over="ignore"):
                fits = ((levels * scale).astype(np.float32) == part).all(axis=1)
            fitting = fitting[fits]
        if len(fitting):
            return fitting[0], levels[fits.argmax()].astype(np.int64)
    return None


def write_codebook(codebook: NDArray[Any]) -> tuple[CodebookForm, bytes]:
    """Write a codebook in its shortest exact form.

    Parameters
    ----------
    codebook : ndarray, shape (k,)
        In the order of the elements' bit patterns.
    """
    if codebook.dtype.itemsize > 4:
        return _write_wide(codebook)
    if codebook.dtype not in (np.float32, np.float16):
        return CodebookForm.PATTERN, _pack(sort_key(codebook), 8 * codebook.dtype.itemsize)
    form = CodebookForm.F32 if codebook.dtype == np.float32 else CodebookForm.F16
    candidates = [(form, _pack(sort_key(codebook), 8 * codebook.dtype.itemsize))]
    # Conversion keeps the bits of a NaN on some machines and not on others.
    if codebook.dtype == np.float32 and not np.isnan(codebook).any():
        with np.errstate(over="ignore"):
            half = codebook.astype(np.float16)
        if np.array_equal(sort_key(half.astype(np.float32)), sort_key(codebook)):
            candidates.append((CodebookForm.F16, _pack(sort_key(half), 16)))
        grid = find_grid(codebook)
        if grid is not None:
            scale, levels = grid
            patterns = np.where(levels < 0, _SIGN - levels, levels)
            candidates.append((CodebookForm.GRID, np.float32(scale).astype("<f4").tobytes() + _pack(patterns, 16)))
    return min(candidates, key=lambda candidate: (len(candidate[1]), candidate[0]))


def _write_wide(codebook: NDArray[Any]) -> tuple[CodebookForm, bytes]:
    """Float64 as float32 where that is exact, other patterns of 64 bits plain: their differences are as long."""
    if codebook.dtype == np.float64 and not np.isnan(codebook).any():
        with np.errstate(over="ignore"):
            single = codebook.astype(np.float32)
        if np.array_equal(single.astype(np.float64).view("<u8"), codebook.view("<u8")):
            return write_codebook(single)
    return CodebookForm.PATTERN, codebook.astype(codebook.dtype.newbyteorder("<")).tobytes()


def _pack(patterns: NDArray[np.int64], width: int) -> bytes:
    """The first pattern in `width` bits, and the differences."""
    out = BitWriter()
    out.number(int(patterns[0]), width)
    out.numbers(np.diff(patterns) - 1)
    return out.tobytes()


def read_codebook(
    data: Bytes, offset: int, count: int, form: CodebookForm, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], int]:
    """Read what `write_codebook` wrote.

    Returns
    -------
    codebook : ndarray of `dtype`, shape (count,)
    offset : int
        The byte after it.

    Raises
    ------
    FormatError
    """
    if form == CodebookForm.PATTERN:
        patterns, end = _read_patterns(data, offset, count, dtype.itemsize)
        return patterns.astype(f"<u{dtype.itemsize}").view(dtype), end
    if form == CodebookForm.GRID:
        values, end = _read_grid(data, offset, count)
        return values.astype(dtype, copy=False), end
    patterns, end = _read_patterns(data, offset, count, 4 if form == CodebookForm.F32 else 2)
    if form == CodebookForm.F32:
        return patterns.astype(np.uint32).view(np.float32).astype(dtype, copy=False), end
    return patterns.astype(np.uint16).view(np.float16).astype(dtype, copy=False), end


def _read_grid(data: Bytes, offset: int, count: int) -> tuple[NDArray[np.float32], int]:
    if offset + 4 > len(data):
        raise TruncatedError("codebook: data ends too early")
    (scale,) = struct.unpack_from("<f", data, offset)
    if not (math.isfinite(scale) and scale > 0):
        raise FormatError("codebook: bad scale", found=scale)
    patterns, end = _read_patterns(data, offset + 4, count, 2)
    values = np.empty(count, np.float32)
    largest = float(_place_on_grid(patterns, scale, values))
    if largest < 0:
        raise FormatError("codebook: a level is minus zero")
    if largest > _LARGEST_FLOAT:
        raise FormatError("codebook: levels times scale pass the largest float", found=largest)
    return values, end


@kernel
def _place_on_grid(patterns: NDArray[np.int64], scale: float, values: NDArray[np.float32]) -> float:
    """Levels times a scale, each rounded once; the largest magnitude before, or -1 if a level is minus zero."""
    largest = 0.0
    for i in range(len(patterns)):
        if patterns[i] == _SIGN:
            return -1.0
        exact = (patterns[i] & _SIGN - 1) * scale
        largest = max(largest, exact)
        values[i] = -exact if patterns[i] & _SIGN else exact
    return largest


def _read_patterns(data: Bytes, offset: int, count: int, width: int) -> tuple[NDArray[Any], int]:
    """Read `count` ascending patterns of `width` bytes each; return them and the offset behind them."""
    plain = width > 4
    first_end = offset + width * (count if plain else 1)
    if first_end > len(data):
        raise TruncatedError("codebook: data ends too early")
    if plain:
        words = np.frombuffer(data, f"<u{width}", count, offset)
        if not (words[1:] > words[:-1]).all():
            raise FormatError("codebook: patterns do not ascend")
        return words, first_end
    limit = (1 << 8 * width) - 1
    first = int.from_bytes(data[offset:first_end], "big")
    reader = BitReader(data, first_end, "codebook")
    patterns = reader.ascending(first, count, limit)
    return patterns, reader.align()
