"""Sizes and ratios of a container: what ``dcz info`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoding.decode import Payload
from ..tensors import DTYPES, FLOATS

if TYPE_CHECKING:
    from .manifest import TensorEntry
    from .reader import Container

_FP32 = 32


def describe(container: Container) -> dict[str, Any]:
    """Describe a container.

    Returns
    -------
    dict
        JSON-ready. ``dense_bytes`` is fp32 for every number that inference needs: the tensors that the graph uses; in a
        weights-only container all but counters. ``ratio`` is dense_bytes / file_bytes: bytes of the file that is
        loaded. For comparison with papers, ``ratio_course`` counts the coded symbols of the weights alone against the
        dense fp32 weights (no positions, codebooks, biases), and ``ratio_paper`` counts symbols, gaps and codebooks
        (Han et al. 2015, section 5), without the manifest. Weights are the tensors with two axes or more; those that
        are not coded count as they are stored. Both are None where no weight is coded.
    """
    graph = container.graph
    used = set(graph.tensor_names()) if graph is not None else None
    rows, parts = [], {"codebook": 0, "tables": 0, "gaps": 0, "symbols": 0, "values": 0}
    dense_elements = weights = coded_bits = course_bits = paper_bits = 0
    for name, entry in container.entries.items():
        payload = container.payload(name)
        row = _row(entry, payload)
        rows.append(row)
        nbytes = row["bytes"]
        for part in parts:
            parts[part] += nbytes[part]
        if name not in used if used is not None else is_counter(entry.shape, entry.dtype):
            continue
        dense_elements += prod(entry.shape)
        if len(entry.shape) > 1:
            weights += prod(entry.shape)
            coded_bits += 8 * nbytes["symbols"]
            course_bits += 8 * (nbytes["symbols"] + nbytes["values"])
            paper_bits += 8 * (nbytes["symbols"] + nbytes["gaps"] + nbytes["values"]) + _FP32 * _centroids(payload)
    labels = container.manifest.labels
    dense_bytes = 4 * dense_elements
    return {
        "format_version": container.format_version,
        "file_bytes": container.file_bytes,
        "dense_bytes": dense_bytes,
        "ratio": dense_bytes / container.file_bytes,
        "ratio_course": _FP32 * weights / course_bits if coded_bits else None,
        "ratio_paper": _FP32 * weights / paper_bits if coded_bits else None,
        "input_shape": list(graph.input_shape) if graph is not None else None,
        "nodes": len(graph.nodes) if graph is not None else 0,
        "labels": len(container.labels or []),
        "metadata": dict(container.metadata),
        "tied": dict(container.tied),
        "tensors": rows,
        "bytes": {
            "manifest": container.manifest_bytes,
            "labels": labels.nbytes if labels else 0,
            **parts,
        },
    }


def is_counter(shape: Sequence[int], dtype: str) -> bool:
    """Whether a tensor only counts something, as batch normalisation counts batches: inference does not need it."""
    return not shape and dtype not in FLOATS


def _centroids(payload: Payload) -> int:
    """Numbers that the shared weights are made of: centroids, or levels and scales."""
    return sum(len(part) for part in (payload.codebook, payload.scales) if part is not None)


def _row(entry: TensorEntry, payload: Payload) -> dict[str, Any]:
    size = prod(entry.shape)
    nnz = payload.nnz if payload.nnz is not None else payload.decode().nnz
    parts = {part: payload.parts.get(part, 0) for part in ("codebook", "tables", "gaps", "symbols", "values")}
    stored = size if payload.gap_bits is None else nnz
    if payload.symbols is None:
        bits_per_symbol = float(DTYPES[entry.dtype].itemsize * 8) if payload.codebook is None else 0.0
    else:
        bits_per_symbol = 8 * parts["symbols"] / stored
    return {
        "name": entry.name,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "nnz": nnz,
        "density": nnz / size if size else 0.0,
        "encoding": entry.encoding.value,
        "codebook_size": len(payload.codebook) if payload.codebook is not None and len(payload.codebook) else None,
        "gap_bits": payload.gap_bits,
        "bits_per_symbol": bits_per_symbol,
        "bits_per_gap": 8 * parts["gaps"] / nnz if payload.gaps is not None and nnz else 0.0,
        "code_lengths": {
            part: np.bincount(streams.lengths[streams.lengths > 0]).tolist()
            for part, streams in (("symbols", payload.symbols), ("gaps", payload.gaps))
            if streams is not None
        },
        "bytes": parts,
    }
