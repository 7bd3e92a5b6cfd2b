"""Sizes and ratios of a container: what ``dcz info`` shows."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .decoder import Payload
from .encoder import Encoding
from .tensors import DTYPES, FLOATS

if TYPE_CHECKING:
    from .manifest import TensorEntry
    from .reader import Container

_FP32 = 32


def describe(container: Container) -> dict[str, Any]:
    """Describe a container.

    Returns
    -------
    dict
        JSON-ready. ``dense_bytes`` is fp32 for every tensor that the graph uses (in a weights-only container: every
        float tensor). ``ratio`` is dense_bytes / file_bytes: bytes of the file that is loaded. For comparison with
        papers, ``ratio_course`` counts the coded symbols of the stored weights alone against the dense fp32 weights
        (no positions, codebooks, biases), and ``ratio_paper`` counts symbols, gaps and codebooks (Han et al. 2015,
        section 5), without the manifest; both over the tensors that are stored shared, None where there are none.
    """
    graph = container.graph
    used = set(graph.tensor_names()) if graph is not None else None
    rows, parts = [], {"codebook": 0, "tables": 0, "gaps": 0, "symbols": 0, "values": 0}
    dense_elements = course_bits = paper_bits = shared_elements = 0
    for name, entry in container.entries.items():
        payload = container.payload(name)
        row = _row(entry, payload)
        rows.append(row)
        for part, nbytes in row["bytes"].items():
            parts[part] += nbytes
        if (used is None and entry.dtype in FLOATS) or (used is not None and name in used):
            dense_elements += prod(entry.shape)
        if entry.encoding in (Encoding.SHARED, Encoding.SPARSE_SHARED) and len(entry.shape) > 1:
            shared_elements += prod(entry.shape)
            course_bits += 8 * row["bytes"]["symbols"]
            paper_bits += 8 * (row["bytes"]["symbols"] + row["bytes"]["gaps"]) + _FP32 * (row["codebook_size"] or 0)
    labels = container.manifest.labels
    dense_bytes = 4 * dense_elements
    return {
        "format_version": container.format_version,
        "file_bytes": container.file_bytes,
        "dense_bytes": dense_bytes,
        "ratio": dense_bytes / container.file_bytes,
        "ratio_course": _FP32 * shared_elements / course_bits if course_bits else None,
        "ratio_paper": _FP32 * shared_elements / paper_bits if paper_bits else None,
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


def _row(entry: TensorEntry, payload: Payload) -> dict[str, Any]:
    size = prod(entry.shape)
    nnz = payload.nnz if payload.nnz is not None else payload.decode().nnz
    parts = {part: payload.parts.get(part, 0) for part in ("codebook", "tables", "gaps", "symbols", "values")}
    stored = size if entry.encoding in (Encoding.RAW, Encoding.SHARED) else nnz
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
