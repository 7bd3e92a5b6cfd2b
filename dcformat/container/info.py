"""Sizes and ratios of a container: what ``dcz info`` shows."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..encoding.base import Description, Payload
from ..tensors import FLOATS
from .manifest import Manifest, TensorEntry

PARTS = ("codebook", "tables", "gaps", "symbols", "values")
"""Parts of a payload's bytes."""
_FP32 = 32


def describe(
    manifest: Manifest,
    payloads: Iterable[Payload],
    *,
    format_version: str,
    file_bytes: int,
    manifest_bytes: int,
    labels: int,
) -> dict[str, Any]:
    """Describe a container.

    Parameters
    ----------
    manifest : Manifest
    payloads : iterable of Payload
        Of the manifest's tensors, in their order.
    format_version : str
    file_bytes : int
    manifest_bytes : int
        Header and compressed manifest.
    labels : int
        Number of labels.

    Returns
    -------
    dict
        JSON-ready. ``dense_bytes`` is fp32 for every number that inference needs: the tensors that the graph uses; in a
        weights-only container all but counters. ``ratio`` is dense_bytes / file_bytes: bytes of the file that is
        loaded. For comparison with papers, ``ratio_course`` counts the coded symbols of the weights alone against the
        dense fp32 weights (no positions, codebooks, biases), and ``ratio_paper`` counts symbols, gaps and codebooks
        (Han et al. 2015, section 5), without the manifest. Weights are the tensors with two axes or more; those that
        are not coded count as they are stored. Both are None where no weight is coded. In the encoding ``context`` gaps
        and symbols share a stream: its bytes are split by an estimate, so that `ratio_course` is one too.
    """
    graph = manifest.graph
    used = set(graph.tensor_names()) if graph is not None else None
    rows, parts = [], dict.fromkeys(PARTS, 0)
    dense_elements = weights = coded_bits = course_bits = paper_bits = 0
    for entry, payload in zip(manifest.tensors, payloads, strict=True):
        described = payload.describe()
        row = _row(entry, payload, described)
        rows.append(row)
        nbytes = row["bytes"]
        for part in parts:
            parts[part] += nbytes[part]
        if not _is_needed(entry, used):
            continue
        dense_elements += prod(entry.shape)
        if len(entry.shape) > 1:
            weights += prod(entry.shape)
            coded_bits += 8 * nbytes["symbols"]
            course_bits += 8 * (nbytes["symbols"] + nbytes["values"])
            paper_bits += 8 * (nbytes["symbols"] + nbytes["gaps"] + nbytes["values"]) + _FP32 * described.centroids
    dense_bytes = 4 * dense_elements
    return {
        "format_version": format_version,
        "file_bytes": file_bytes,
        "dense_bytes": dense_bytes,
        "ratio": dense_bytes / file_bytes,
        "ratio_course": _FP32 * weights / course_bits if coded_bits else None,
        "ratio_paper": _FP32 * weights / paper_bits if coded_bits else None,
        "input_shape": list(graph.input_shape) if graph is not None else None,
        "inputs": {item.name: [list(item.shape), item.dtype] for item in graph.inputs} if graph is not None else {},
        "outputs": [item.name for item in graph.outputs] if graph is not None else [],
        "nodes": len(graph.nodes) if graph is not None else 0,
        "labels": labels,
        "metadata": dict(manifest.metadata),
        "tied": dict(manifest.tied),
        "tensors": rows,
        "bytes": {
            "manifest": manifest_bytes,
            "labels": manifest.labels.nbytes if manifest.labels else 0,
            **parts,
        },
    }


def outline(manifest: Manifest, *, format_version: str, file_bytes: int) -> dict[str, Any]:
    """Describe a container by its manifest alone.

    Returns
    -------
    dict
        JSON-ready; its keys are among those of `describe`. A tensor's row has its name, shape, element type, encoding.
    """
    graph = manifest.graph
    used = set(graph.tensor_names()) if graph is not None else None
    needed = [e for e in manifest.tensors if _is_needed(e, used)]
    dense_bytes = 4 * sum(prod(entry.shape) for entry in needed)
    return {
        "format_version": format_version,
        "file_bytes": file_bytes,
        "dense_bytes": dense_bytes,
        "ratio": dense_bytes / file_bytes,
        "input_shape": list(graph.input_shape) if graph is not None else None,
        "inputs": {item.name: [list(item.shape), item.dtype] for item in graph.inputs} if graph is not None else {},
        "outputs": [item.name for item in graph.outputs] if graph is not None else [],
        "nodes": len(graph.nodes) if graph is not None else 0,
        "metadata": dict(manifest.metadata),
        "tied": dict(manifest.tied),
        "tensors": [
            {"name": e.name, "shape": list(e.shape), "dtype": e.dtype, "encoding": e.encoding.value}
            for e in manifest.tensors
        ],
    }


def _is_needed(entry: TensorEntry, used: Container[str] | None) -> bool:
    """Whether inference needs a tensor: if the graph uses it, or, without a graph, if it is no counter."""
    return entry.name in used if used is not None else not is_counter(entry.shape, entry.dtype)


def is_counter(shape: Sequence[int], dtype: str) -> bool:
    """Whether a tensor only counts something, as batch normalisation counts batches: inference does not need it."""
    return not shape and dtype not in FLOATS


def _row(entry: TensorEntry, payload: Payload, described: Description) -> dict[str, Any]:
    size = prod(entry.shape)
    nnz = described.nnz if described.nnz is not None else payload.decode().nnz
    parts = {part: payload.parts.get(part, 0) for part in PARTS}
    streams = described.streams
    return {
        "name": entry.name,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "nnz": nnz,
        "density": nnz / size if size else 0.0,
        "encoding": entry.encoding.value,
        "codebook_size": described.codebook_size or None,
        "gap_bits": described.gap_bits,
        "bits_per_symbol": _bits_per_symbol(entry, parts["symbols"] + parts["values"], described),
        "bits_per_gap": 8 * parts["gaps"] / nnz if nnz else 0.0,
        "code_lengths": {
            part: np.bincount(lengths[lengths > 0]).tolist()
            for part, lengths in ((part, coded.code.lengths) for part, coded in streams.items())
        },
        "bytes": parts,
    }


def _bits_per_symbol(entry: TensorEntry, nbytes: int, described: Description) -> float:
    """Bits of a stored weight, without its position and codebook; `nbytes` are those of symbols and values."""
    stored = described.nnz if described.nnz is not None else prod(entry.shape)
    return 8 * nbytes / stored if stored else 0.0
