"""Fully connected layers of bytes: the stored weights of a row times the inputs at their columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import kernel
from ..contract import F32, I64
from .planes import Bytes


@kernel
def linear_bytes(
    x: Bytes,
    out: NDArray[Any],
    added: Bytes,
    indptr: I64,
    columns: NDArray[np.int32],
    weights: NDArray[np.int8],
    biases: NDArray[np.int32],
    epilogue: F32,
    residual: int,
    zero: int,
    sizes: I64,
) -> None:
    """Compute some outputs of rows.

    Parameters
    ----------
    x : ndarray of uint8, flat
        Planes, whose rows are the rows of inputs.
    out : ndarray of uint8 or float32, flat
        Planes, or rows one behind the other.
    added : ndarray of uint8, flat
        Planes of the output's form.
    indptr, columns, weights
        Rows of weights in CSR form.
    biases, epilogue
        As `conv_bytes_sparse` takes them.
    residual, zero : int
        Whether there is one; what stands for zero in bytes of the output.
    sizes : ndarray of int64
        Planes of all samples, and rows of a plane; bytes of an input's plane, first pixel and pitch; the same of the
        output and of the residual, in elements; first output and the one behind the last.
    """
    numbers = len(epilogue) - 4
    low, high = epilogue[numbers], epilogue[numbers + 1]
    for plane in range(sizes[0]):
        for row in range(sizes[1]):
            begin = plane * sizes[2] + sizes[3] + row * sizes[4]
            source = x[begin:]
            place = plane * sizes[5] + sizes[6] + row * sizes[7]
            other = plane * sizes[8] + sizes[9] + row * sizes[10]
            for output in range(sizes[11], sizes[12]):
                total = np.int32(0)
                for k in range(indptr[output], indptr[output + 1]):
                    total += np.int32(weights[k]) * np.int32(source[columns[k]])
                value = np.float32(total + biases[output]) * epilogue[output]
                if residual != 0:
                    value += (np.float32(added[other + output]) - epilogue[numbers + 2]) * epilogue[numbers + 3]
                if out.itemsize == 1:
                    value = np.rint(min(max(value, np.float32(-16384)), np.float32(16384))) + zero
                simd.put(out, place + output, min(max(value, low), high))
